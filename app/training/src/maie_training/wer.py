"""Word error rate of words as they are written: the texts that models are trained on have one spelling."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

from maie_training.splits import words_of


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return the errors of all pairs together over the words of all references.

    Case and punctuation don't count, apostrophes do; hyphens part words.
    """
    return float(jiwer.wer([_plain(text) for text in references], [_plain(text) for text in hypotheses]))


def _plain(text: str) -> str:
    return " ".join(words_of(text.replace("’", "'").replace("_", " ")))
