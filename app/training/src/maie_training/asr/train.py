"""Train the recogniser: ``python -m maie_training.asr.train --out DIR``."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import WhisperForConditionalGeneration

from maie_training.asr import tokenizer as tokenizers
from maie_training.asr.features import Studio
from maie_training.asr.model import WIDTH, listen_to, make_model
from maie_training.asr.tokenizer import Layout
from maie_training.asr.utterances import Utterances, speak
from maie_training.asr.weights import load, save
from maie_training.asr.windows import LONG, NO_LOSS, WindowPlanner, batches
from maie_training.speech import SAMPLE_RATE, require_synthesiser

_WARM_UP_STEPS = 300
_REPORT_STEPS = 100
_SHORT_SECONDS = 8
_CTC_WEIGHT = 0.5


class _Windows(IterableDataset[dict[str, Tensor]]):
    """An endless stream of planned batches, a different one in each loading process."""

    def __init__(self, speech: Utterances, tokenizer: Tokenizer, size: int, seed: int, seconds: int) -> None:
        self.speech, self.tokenizer, self.size = speech, tokenizer, size
        self.seed, self.seconds = seed, seconds

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        stream = self.seed * 1000 + (worker.id if worker else 0)
        planner = WindowPlanner(self.speech, self.tokenizer, stream, self.seconds)
        for batch in batches(planner, self.size):
            yield {name: torch.from_numpy(array) for name, array in batch.items()}


class Trainer:
    """Trains a model in place, first on short windows, then on those of 30 s.

    In a short window there is little to align; there a second loss (CTC, on a layer over the
    encoder that is thrown away afterwards) teaches the encoder to tell tokens apart. Without that
    the decoder goes on for long as a mere language model that doesn't listen.
    """

    def __init__(
        self,
        model: WhisperForConditionalGeneration,
        speech: Utterances,
        tokenizer: Tokenizer,
        arguments: argparse.Namespace,
    ) -> None:
        self.model, self.tokenizer, self.arguments = model, tokenizer, arguments
        self.device = model.device
        self.samples = torch.from_numpy(speech.samples).to(self.device)
        # The planning processes need times and texts, not the sound itself.
        self.speech = replace(speech, samples=np.zeros(0, dtype=np.int16))
        self.blank = Layout(tokenizer).end_of_text
        self.ctc = torch.nn.Linear(WIDTH, self.blank + 1).to(self.device)
        self.optimizer = _optimizer([model, self.ctc], arguments.peak)
        self.started = time.monotonic()
        self.step = 0
        self.accuracy = 0.0

    def progress(self) -> float:
        """Return how much of the training is over, 0 to 1, by steps or by time if that is short."""
        elapsed = time.monotonic() - self.started
        return max(self.step / self.arguments.steps, elapsed / self.arguments.most_seconds)

    def stage(self, seconds: int, batch_size: int, last_step: int) -> None:
        """Train on windows of ``seconds`` until a step number is reached or all is over."""
        listen_to(self.model, seconds)
        studio = Studio(self.samples, self.arguments.seed, seconds)
        windows = _Windows(self.speech, self.tokenizer, batch_size, self.arguments.seed, seconds)
        loader = DataLoader(
            windows,
            batch_size=None,
            num_workers=max(1, self.arguments.processes // 2),
            prefetch_factor=8,
            pin_memory=self.device.type == "cuda",
        )
        report: list[Tensor] = []
        for planned in loader:
            if self.step >= last_step or self.progress() >= 1:
                break
            batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in planned.items()}
            report.append(self.train_on(batch, studio, seconds < LONG))
            if self.step % _REPORT_STEPS == 0:
                self.report(seconds, report)
                report = []

    def train_on(self, batch: dict[str, Tensor], studio: Studio, short: bool) -> Tensor:
        """Make one step; return loss, CTC loss and share of right tokens."""
        self.step += 1
        rate = min(1.0, self.step / _WARM_UP_STEPS) * max(0.0, 1.0 - self.progress())
        for group in self.optimizer.param_groups:
            group["lr"] = self.arguments.peak * rate
        with torch.no_grad():
            features = studio.record(batch, clean=short and self.step % 2 == 0)
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.model(input_features=features, decoder_input_ids=batch["given"])
        logits, wanted = output.logits.float().flatten(0, 1), batch["wanted"].flatten()
        loss = torch.nn.functional.cross_entropy(logits, wanted, ignore_index=NO_LOSS)
        ctc = torch.zeros((), device=self.device)
        if short:
            ctc = self.ctc_loss(output.encoder_last_hidden_state, batch)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + _CTC_WEIGHT * ctc).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        counted = wanted != NO_LOSS
        hits = ((logits.argmax(-1) == wanted) & counted).sum() / counted.sum()
        return torch.stack([loss.detach(), ctc.detach(), hits])

    def ctc_loss(self, hidden: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Return the CTC loss of the encoder's output, per text token."""
        scores = self.ctc(hidden.float()).log_softmax(-1).transpose(0, 1)
        heard = torch.full((hidden.shape[0],), hidden.shape[1], device=self.device)
        total = torch.nn.functional.ctc_loss(
            scores, batch["text"], heard, batch["text_length"], self.blank, "sum", True
        )
        return total / batch["text_length"].sum()

    def report(self, seconds: int, results: list[Tensor]) -> None:
        """Print the means of some steps. Raises RuntimeError when training went astray."""
        loss, ctc, self.accuracy = torch.stack(results).mean(0).tolist()
        elapsed = time.monotonic() - self.started
        print(
            f"step {self.step} ({seconds} s windows) loss {loss:.4f} ctc {ctc:.3f} "
            f"accuracy {self.accuracy:.4f} {elapsed:.0f} s",
            flush=True,
        )
        if not math.isfinite(loss):
            raise RuntimeError("the loss is not finite")


def _optimizer(modules: Sequence[torch.nn.Module], peak: float) -> torch.optim.AdamW:
    weights = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": 0.05},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), fused=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Speak the material, train, save; print the loss on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--meetings", type=int, default=700)
    parser.add_argument("--start-from", type=Path, help="what an earlier training wrote")
    parser.add_argument("--short-steps", type=int, default=1_500, help="steps on short windows")
    parser.add_argument("--short-batch", type=int, default=256)
    parser.add_argument("--least-accuracy", type=float, default=0.8, help="share of right tokens to go on with")
    parser.add_argument("--steps", type=int, default=5_500, help="steps in all")
    parser.add_argument("--most-seconds", type=float, default=3_600.0)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--peak", type=float, default=1.5e-3)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args(argv)
    require_synthesiser()
    started = time.monotonic()
    if arguments.start_from:
        tokenizer = Tokenizer.from_file(str(arguments.start_from / "tokenizer.json"))
    else:
        tokenizer = tokenizers.build(arguments.seed)
    speech = speak(arguments.seed, arguments.sentences, arguments.meetings, arguments.processes)
    hours = len(speech.samples) / SAMPLE_RATE / 3600
    print(f"{len(speech.texts)} utterances, {hours:.1f} hours, {time.monotonic() - started:.0f} s")
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = make_model(Layout(tokenizer)).to(device).train()
    if arguments.start_from:
        load(model, arguments.start_from)
    trainer = Trainer(model, speech, tokenizer, arguments)
    trainer.stage(_SHORT_SECONDS, arguments.short_batch, arguments.short_steps)
    if arguments.short_steps and trainer.accuracy < arguments.least_accuracy:
        print("the short windows were not learned: no use to go on", flush=True)
        return 1
    trainer.stage(LONG, arguments.batch, arguments.steps)
    save(model, tokenizer, arguments.out)
    facts = {
        "seed": arguments.seed,
        "steps": trainer.step,
        "short_steps": arguments.short_steps,
        "batch": arguments.batch,
        "peak_learning_rate": arguments.peak,
        "utterances": len(speech.texts),
        "hours_of_speech": round(hours, 1),
        "seconds": round(time.monotonic() - started),
    }
    (arguments.out / "training.json").write_text(json.dumps(facts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
