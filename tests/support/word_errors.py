"""How many words of an English transcript are wrong, as the gate counts them."""

from __future__ import annotations

from ansible.module_utils.words import normalise, word_error_rate


def normalised(text: str) -> str:
    """Return an English text as it is compared."""
    return str(normalise(text, "en"))


def wrong_words(said: str, found: str) -> float:
    """Return the word error rate of an English text: wrong words over words that were said."""
    return float(word_error_rate(said, found, "en"))


def number_of_words(text: str) -> int:
    """Return how many words of an English text count."""
    return len(normalised(text).split())
