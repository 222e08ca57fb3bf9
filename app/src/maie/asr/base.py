"""The protocol of all engines of speech recognition."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from maie.domain import SAMPLE_RATE, Segment

Samples = NDArray[np.float32]

MAX_PIECE_SECONDS = 30.0
"""The longest piece that a Whisper model takes at once."""


@dataclass(frozen=True)
class RecognitionRequest:
    """How pieces of audio are to be recognised.

    Attributes:
        language: ISO 639-1 code; None lets the engine decide for each piece.
        likely: Where the engine decides: the language of the piece before, for pieces that don't reveal theirs.
        prompt: Words to expect, without control tokens; None for none.
        words: Whether each segment shall hold its words with their times.
    """

    language: str | None = None
    likely: str | None = None
    prompt: str | None = None
    words: bool = False


@dataclass(frozen=True)
class Recognition:
    """What an engine found in one piece.

    Attributes:
        segments: In order, with times in seconds from the start of the piece.
        language: ISO 639-1 code, or what the engine calls it.
    """

    segments: tuple[Segment, ...]
    language: str


class Recogniser(Protocol):
    """An engine, loaded and ready.

    Attributes:
        languages: ISO 639-1 codes that its model knows; empty where that is not known.
        batch_size: How many pieces it takes at a time.
        versions: Names and versions for the results.
    """

    languages: tuple[str, ...]
    batch_size: int
    versions: dict[str, Any]

    def recognise(self, pieces: Sequence[Samples], request: RecognitionRequest) -> list[Recognition]:
        """Return what is said in each piece of at most 30 s of 16 kHz mono.

        Raises:
            MaieError: The engine can't answer.
        """

    def recognise_again(self, piece: Samples, request: RecognitionRequest) -> Recognition:
        """Recognise one piece whose text looked wrong in another, slower way; raises as :meth:`recognise`."""

    def fitting(self, prompt: str) -> str:
        """Return as much of a prompt as the model can take without losing speech."""


def recognise_silence(recogniser: Recogniser) -> None:
    """Have an engine recognise a second of silence, which needs all that speech does; raises as that does."""
    language = next(iter(recogniser.languages), None)
    recogniser.recognise([np.zeros(SAMPLE_RATE, np.float32)], RecognitionRequest(language))


def compression_ratio(text: str) -> float:
    """Return how well a text compresses, as Whisper computes it: a decoder's loops have values above about 2.4."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))
