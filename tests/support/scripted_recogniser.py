"""A recogniser that hears what it is told to, and the recognition stage around it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from maie.asr.base import Recognition, RecognitionRequest, Samples
from maie.audio.levels import Levels
from maie.domain import SAMPLE_RATE, Segment, Span, TaskOptions
from maie.stages import asr
from maie.stages.decode import SAMPLE_BYTES, Audio


def segment(start: float, end: float, **changes: Any) -> Segment:
    values = {"text": "words", "avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.1, **changes}
    return Segment(start=start, end=end, **values)


class Script:
    """An engine that hears what it is told to, and notes what it was asked."""

    batch_size = 2
    versions: dict[str, Any] = {}  # noqa: RUF012 - the protocol's

    def __init__(
        self, *heard: Recognition, again: Sequence[Recognition] = (), languages: tuple[str, ...] = ("en",)
    ) -> None:
        self._heard, self._again = iter(heard), iter(again)
        self.languages = languages
        self.asked: list[tuple[list[int], RecognitionRequest]] = []
        self.asked_again: list[tuple[int, RecognitionRequest]] = []

    def recognise(self, pieces: Sequence[Samples], request: RecognitionRequest) -> list[Recognition]:
        self.asked.append(([len(piece) for piece in pieces], request))
        return [next(self._heard) for _ in pieces]

    def recognise_again(self, piece: Samples, request: RecognitionRequest) -> Recognition:
        self.asked_again.append((len(piece), request))
        return next(self._again)

    def fitting(self, prompt: str) -> str:
        return prompt[:30]


def said(*segments: Segment, language: str = "en") -> Recognition:
    return Recognition(segments, language)


def transcribe(
    engine: Script, speech: list[Span], detected: bool = True, **options: Any
) -> tuple[asr.Recognition, list[float]]:
    told: list[float] = []
    samples = round(max((span.end for span in speech), default=1.0) * SAMPLE_RATE)
    with tempfile.TemporaryFile() as file:
        file.truncate(SAMPLE_BYTES * samples)
        audio = Audio(file, samples, Levels(), ())
        return asr.transcribe(audio, speech, engine, TaskOptions(**options), told.append, detected), told
