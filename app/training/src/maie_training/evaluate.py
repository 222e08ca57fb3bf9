"""``maie-evaluate-asr``: make fresh held-out speech from a seed and measure a recogniser on it.

Prints one JSON object. The exit status is 0 when every word error rate is within its limit, 1 when
one is not, 2 when nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from faster_whisper import BatchedInferencePipeline, WhisperModel

from maie_training.corpus import Item, Plan, Recording, plan_meeting, plan_sentence, render
from maie_training.speech import SAMPLE_RATE, SpeechError, require_synthesiser
from maie_training.splits import Split
from maie_training.wer import word_error_rate

_HELD_OUT = Split(sentences="heldout")
_BEAM = 5


class Recogniser:
    """A model folder loaded into faster-whisper, with no network."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.model = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
        self.batched = BatchedInferencePipeline(self.model)

    def transcribe(self, item: Item, path: str) -> str:
        """Return the text of an item; ``path`` is ``plain``, ``sequential`` or ``batched``."""
        return " ".join(self.segments(item, path))

    def segments(self, item: Item, path: str = "batched") -> list[str]:
        """Return the texts of an item's segments, in their order."""
        common: dict[str, Any] = {
            "language": "en",
            "beam_size": _BEAM,
            "condition_on_previous_text": False,
        }
        if path == "batched":
            segments, _ = self.batched.transcribe(item.samples, batch_size=4, **common)
        else:
            vad = path == "sequential"
            segments, _ = self.model.transcribe(item.samples, vad_filter=vad, **common)
        return [segment.text.strip() for segment in segments]


def measure(recogniser: Recogniser, plans: Iterable[Plan], path: str) -> dict[str, Any]:
    """Return number of items, words and minutes, word error rate, real-time factor, worst items."""
    references, hypotheses, audio_seconds, seconds = [], [], 0.0, 0.0
    for plan in plans:
        item = render(plan)
        started = time.monotonic()
        hypotheses.append(recogniser.transcribe(item, path))
        seconds += time.monotonic() - started
        audio_seconds += len(item.samples) / SAMPLE_RATE
        references.append(str(item.reference["verbatim"]))
    wrong = [
        {"said": said, "heard": heard}
        for said, heard in zip(references, hypotheses, strict=True)
        if word_error_rate([said], [heard]) > 0
    ]
    return {
        "items": len(references),
        "words": sum(len(text.split()) for text in references),
        "minutes": round(audio_seconds / 60, 1),
        "wer": round(word_error_rate(references, hypotheses), 4),
        "rtf": round(seconds / audio_seconds, 3),
        "items_with_errors": len(wrong),
        "examples": wrong[:10] if path == "plain" else [],
    }


def evaluate(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return the results of each kind of material that was asked for."""
    recogniser = Recogniser(arguments.model, arguments.threads)
    quiet = Recording(voices="heldout")
    results = {}
    recordings = {
        "sentences": quiet,
        "sentences_white_noise": replace(quiet, snr_db=arguments.snr, noise="white"),
        "sentences_pink_noise": replace(quiet, snr_db=arguments.snr, noise="pink"),
    }
    for name, recording in recordings.items():
        plans = (plan_sentence(arguments.seed, number, _HELD_OUT, recording) for number in range(arguments.count))
        if arguments.count:
            results[name] = measure(recogniser, plans, "plain")
    for path in ("sequential", "batched"):
        meetings = (plan_meeting(arguments.seed, number, _HELD_OUT, quiet) for number in range(arguments.meetings))
        if arguments.meetings:
            results[f"meetings_{path}"] = measure(recogniser, meetings, path)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the evaluation."""
    parser = argparse.ArgumentParser(prog="maie-evaluate-asr", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--count", type=int, default=500, help="sentences of each kind")
    parser.add_argument("--meetings", type=int, default=10, help="whole meetings")
    parser.add_argument("--snr", type=float, default=20.0, help="signal to noise, in dB")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("--most-wer", type=float, default=0.02, help="limit for sentences")
    parser.add_argument("--most-noisy-wer", type=float, default=0.05, help="limit in noise")
    parser.add_argument("--most-meeting-wer", type=float, default=0.03, help="limit for meetings")
    arguments = parser.parse_args(argv)
    try:
        require_synthesiser()
        results = evaluate(arguments)
    except (SpeechError, OSError, RuntimeError, ValueError) as error:
        print(f"maie-evaluate-asr: {error}", file=sys.stderr)
        return 2
    json.dump({"seed": arguments.seed, "results": results}, sys.stdout, indent=2)
    print()
    limits = {
        "sentences": arguments.most_wer,
        "sentences_white_noise": arguments.most_noisy_wer,
        "sentences_pink_noise": arguments.most_noisy_wer,
    }
    within = (result["wer"] <= limits.get(name, arguments.most_meeting_wer) for name, result in results.items())
    return 0 if all(within) else 1
