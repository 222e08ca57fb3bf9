"""Word error rate as usual in the field: over words normalised by OpenAI's Whisper normaliser.

It unifies numbers, contractions and British spellings, and drops fillers and punctuation. In languages other than
English it removes only case and punctuation. Runs on the control node, which has ``whisper-normalizer``.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher
from functools import cache

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces between words: each letter counts as a word, so the rate counts letters."""


def normalise(text: str, language: str) -> str:
    """Return the words that count, joined by single spaces."""
    # The normaliser recognises contractions only with a plain apostrophe.
    return " ".join(_normaliser(language)(text.replace("’", "'")).split())


def word_error_rate(reference: str, hypothesis: str, language: str) -> float:
    """Return substitutions, deletions and insertions over the words of the reference; 1.0 for an empty transcript.

    Raises:
        ImportError: jiwer is not installed.
    """
    import jiwer

    return float(jiwer.wer(normalise(reference, language), normalise(hypothesis, language)))


def differences(reference: str, hypothesis: str, language: str) -> list[dict[str, str]]:
    """Return where the words of two texts differ, in order: what was ``said`` and what was ``heard``."""
    said, heard = normalise(reference, language).split(), normalise(hypothesis, language).split()
    return [
        {"said": " ".join(said[a:b]), "heard": " ".join(heard[c:d])}
        for kind, a, b, c, d in SequenceMatcher(None, said, heard, autojunk=False).get_opcodes()
        if kind != "equal"
    ]


@cache
def _normaliser(language: str) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    found: Callable[[str], str]
    if language == "en":
        found = EnglishTextNormalizer()
    else:
        # In most scripts of India a word without its marks is a different word.
        found = BasicTextNormalizer(split_letters=language in UNSPACED, preserve_marks=True)
    return found
