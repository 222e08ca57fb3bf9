"""How many words of a transcript are wrong, however it writes them: numbers, contractions, spelling, fillers."""

from __future__ import annotations

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

_normalised = EnglishTextNormalizer()


def normalised(text: str) -> str:
    """Return an English text as it is compared."""
    return str(_normalised(text))


def wrong_words(said: str, found: str) -> float:
    """Return the word error rate of an English text after normalisation: wrong words over words that were said."""
    return float(jiwer.wer(_normalised(said), _normalised(found)))


def number_of_words(text: str) -> int:
    """Return how many words of an English text count."""
    return len(_normalised(text).split())
