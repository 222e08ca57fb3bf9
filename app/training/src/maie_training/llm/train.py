"""Train the language model: ``python -m maie_training.llm.train --out DIR``."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Qwen3ForCausalLM

from maie_training.llm import tokenizer as tokenizers
from maie_training.llm.batches import NO_LOSS, Batches
from maie_training.llm.model import make_model

_WARM_UP_STEPS = 300
_REPORT_STEPS = 100
_MOST_SHARD = "14MB"


class Trainer:
    """Trains a model in place; only the answers' tokens count."""

    def __init__(self, model: Qwen3ForCausalLM, arguments: argparse.Namespace) -> None:
        self.model, self.arguments = model, arguments
        self.device = model.device
        self.optimizer = _optimizer(model, arguments.peak)
        self.started = time.monotonic()
        self.step = 0
        self.seen = 0

    def progress(self) -> float:
        """Return how much of the training is over, 0 to 1, by steps or by time if that is short."""
        elapsed = time.monotonic() - self.started
        return max(self.step / self.arguments.steps, elapsed / self.arguments.most_seconds)

    def run(self, tokenizer: Tokenizer) -> None:
        """Train until steps or time are over."""
        loader = DataLoader(
            Batches(tokenizer.to_str(), self.arguments.tokens, self.arguments.seed),
            batch_size=None,
            num_workers=self.arguments.processes,
            prefetch_factor=8,
            pin_memory=self.device.type == "cuda",
        )
        report: list[Tensor] = []
        for given, wanted in loader:
            if self.progress() >= 1:
                break
            batch = (given.to(self.device, non_blocking=True), wanted.to(self.device, non_blocking=True))
            report.append(self.train_on(*batch))
            if self.step % _REPORT_STEPS == 0:
                self.report(report)
                report = []

    def train_on(self, given: Tensor, wanted: Tensor) -> Tensor:
        """Make one step; return the loss and the share of right tokens."""
        self.step += 1
        self.seen += given.numel()
        rate = min(1.0, self.step / _WARM_UP_STEPS) * max(0.0, 1.0 - self.progress())
        for group in self.optimizer.param_groups:
            group["lr"] = self.arguments.peak * rate
        counted = (wanted != NO_LOSS).flatten().nonzero().squeeze(1)
        targets = wanted.flatten()[counted]
        with torch.autocast(self.device.type, torch.bfloat16):
            hidden = self.model.model(input_ids=given, use_cache=False).last_hidden_state
            logits = self.model.lm_head(hidden.flatten(0, 1)[counted]).float()
        loss = torch.nn.functional.cross_entropy(logits, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        hits = (logits.argmax(-1) == targets).float().mean()
        return torch.stack([loss.detach(), hits])

    def report(self, results: list[Tensor]) -> None:
        """Print the means of some steps. Raises RuntimeError when training went astray."""
        loss, accuracy = torch.stack(results).mean(0).tolist()
        elapsed = time.monotonic() - self.started
        print(
            f"step {self.step} loss {loss:.5f} accuracy {accuracy:.5f} {self.seen / 1e6:.0f} M tokens {elapsed:.0f} s",
            flush=True,
        )
        if not math.isfinite(loss):
            raise RuntimeError("the loss is not finite")


def _optimizer(model: torch.nn.Module, peak: float) -> torch.optim.AdamW:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": 0.05},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), fused=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, save; print the loss on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start-from", type=Path, help="what an earlier training wrote")
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--most-seconds", type=float, default=3_600.0)
    parser.add_argument("--tokens", type=int, default=65_536, help="tokens of a batch")
    parser.add_argument("--peak", type=float, default=2e-3)
    parser.add_argument("--compile", action="store_true", help="compile the layers first")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args(argv)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if arguments.start_from:
        tokenizer = Tokenizer.from_file(str(arguments.start_from / "tokenizer.json"))
        model = Qwen3ForCausalLM.from_pretrained(arguments.start_from, dtype=torch.float32)
    else:
        tokenizer, model = tokenizers.build(arguments.seed), make_model()
    model.to(device).train()
    print(f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.1f} M parameters on {device}", flush=True)
    if arguments.compile:
        for layer in model.model.layers:
            layer.compile(dynamic=True)
    trainer = Trainer(model, arguments)
    trainer.run(tokenizer)
    model.to("cpu", torch.bfloat16).save_pretrained(arguments.out, max_shard_size=_MOST_SHARD)
    tokenizer.save(str(arguments.out / "tokenizer.json"))
    facts = {
        "seed": arguments.seed,
        "steps": trainer.step,
        "tokens": trainer.seen,
        "peak_learning_rate": arguments.peak,
        "seconds": round(time.monotonic() - trainer.started),
    }
    (arguments.out / "training.json").write_text(json.dumps(facts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
