"""Word error rate, the way this project counts it everywhere.

Lower case, no punctuation but apostrophes, one space between words. Numbers are compared as they are written: the
references spell them as words, and so do the models.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher


def normalise(text: str) -> str:
    """Return the words that count, joined by single spaces."""
    plain = re.sub(r"[^\w' ]+", " ", text.lower().replace("’", "'").replace("_", " "))
    return " ".join(plain.split())


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Return substitutions, deletions and insertions over the words of the reference; 1.0 for an empty transcript.

    Raises:
        ImportError: jiwer is not installed.
    """
    import jiwer

    return float(jiwer.wer(normalise(reference), normalise(hypothesis)))


def differences(reference: str, hypothesis: str) -> list[dict[str, str]]:
    """Return where two texts have other words, in their order: what was ``said`` and what was ``heard``."""
    said, heard = normalise(reference).split(), normalise(hypothesis).split()
    return [
        {"said": " ".join(said[a:b]), "heard": " ".join(heard[c:d])}
        for kind, a, b, c, d in SequenceMatcher(None, said, heard, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
