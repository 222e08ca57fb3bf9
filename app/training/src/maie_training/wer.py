"""Word error rate, as the whole project counts it."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

from maie_training.splits import words_of


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return the errors of all pairs together over the words of all references.

    Case and punctuation don't count, apostrophes do; hyphens part words.
    """
    return float(
        jiwer.wer(
            [" ".join(words_of(text)) for text in references],
            [" ".join(words_of(text)) for text in hypotheses],
        )
    )
