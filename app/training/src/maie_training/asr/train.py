"""Train the recogniser: ``python -m maie_training.asr.train --out DIR``."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import WhisperForConditionalGeneration

from maie_training.asr import tokenizer as tokenizers
from maie_training.asr.features import Studio
from maie_training.asr.model import make_model
from maie_training.asr.tokenizer import Layout
from maie_training.asr.utterances import Utterances, speak
from maie_training.asr.windows import NO_LOSS, WindowPlanner, batches
from maie_training.speech import SAMPLE_RATE, require_synthesiser

_WARM_UP_STEPS = 400
_REPORT_STEPS = 100


class _Windows(IterableDataset[dict[str, Tensor]]):
    """An endless stream of planned batches, a different one in each loading process."""

    def __init__(self, speech: Utterances, tokenizer: Tokenizer, size: int, seed: int) -> None:
        self.speech, self.tokenizer, self.size, self.seed = speech, tokenizer, size, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        stream = worker.id if worker else 0
        planner = WindowPlanner(self.speech, self.tokenizer, self.seed * 1000 + stream)
        for batch in batches(planner, self.size):
            yield {name: torch.from_numpy(array) for name, array in batch.items()}


def _optimizer(model: WhisperForConditionalGeneration, peak: float) -> torch.optim.AdamW:
    decayed = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
    plain = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98))


def _progress(step: int, steps: int, started: float, most_seconds: float) -> float:
    """Return how much of the training is over, 0 to 1, by steps or by time if that is short."""
    return max(step / steps, (time.monotonic() - started) / most_seconds)


def fit(
    model: WhisperForConditionalGeneration,
    loader: DataLoader[dict[str, Tensor]],
    studio: Studio,
    arguments: argparse.Namespace,
) -> int:
    """Train the model in place; return the number of steps made."""
    device = studio.device
    optimizer = _optimizer(model, arguments.peak)
    losses: list[Tensor] = []
    hits: list[Tensor] = []
    started = time.monotonic()
    step = 0
    for step, planned in enumerate(loader, start=1):
        done = _progress(step, arguments.steps, started, arguments.most_seconds)
        for group in optimizer.param_groups:
            group["lr"] = arguments.peak * min(1.0, step / _WARM_UP_STEPS) * max(0.0, 1.0 - done)
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in planned.items()}
        with torch.no_grad():
            features = studio.record(batch)
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(input_features=features, decoder_input_ids=batch["given"]).logits
        flat, wanted = logits.float().flatten(0, 1), batch["wanted"].flatten()
        loss = torch.nn.functional.cross_entropy(flat, wanted, ignore_index=NO_LOSS)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
        counted = wanted != NO_LOSS
        hits.append((flat.argmax(-1) == wanted)[counted].float().mean())
        if step % _REPORT_STEPS == 0 or done >= 1:
            mean, accuracy = torch.stack(losses).mean().item(), torch.stack(hits).mean().item()
            seconds = time.monotonic() - started
            print(f"step {step} loss {mean:.4f} accuracy {accuracy:.4f} {seconds:.0f} s", flush=True)
            losses, hits = [], []
            if not math.isfinite(mean):
                raise RuntimeError("the loss is not finite")
        if done >= 1:
            break
    return step


def save(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the weights as float16 in two files, and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    state = model.model.state_dict()
    for part in ("encoder", "decoder"):
        chosen = {
            name: tensor.to("cpu", torch.float16).contiguous()
            for name, tensor in state.items()
            if name.startswith(f"{part}.")
        }
        save_file(chosen, folder / f"{part}.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))


def main(argv: Sequence[str] | None = None) -> int:
    """Speak the material, train, save; print the loss on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--meetings", type=int, default=700)
    parser.add_argument("--steps", type=int, default=5_500)
    parser.add_argument("--most-seconds", type=float, default=3_600.0)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--peak", type=float, default=1.5e-3)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args(argv)
    require_synthesiser()
    started = time.monotonic()
    tokenizer = tokenizers.build(arguments.seed)
    speech = speak(arguments.seed, arguments.sentences, arguments.meetings, arguments.processes)
    hours = len(speech.samples) / SAMPLE_RATE / 3600
    print(f"{len(speech.texts)} utterances, {hours:.1f} hours, {time.monotonic() - started:.0f} s")
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = make_model(Layout(tokenizer)).to(device).train()
    print(f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    studio = Studio(torch.from_numpy(speech.samples).to(device), arguments.seed)
    workers = max(1, arguments.processes // 2)
    # The planning processes need times and texts, not the sound itself.
    speech.samples = np.zeros(0, dtype=np.int16)
    loader = DataLoader(
        _Windows(speech, tokenizer, arguments.batch, arguments.seed),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=8,
    )
    steps = fit(model, loader, studio, arguments)
    save(model, tokenizer, arguments.out)
    facts = {
        "seed": arguments.seed,
        "steps": steps,
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
