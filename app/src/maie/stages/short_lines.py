"""A transcript in the short lines that small language models are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maie.domain import Turn
from maie.prompting.marks import without_marks
from maie.prompting.prompts import whole_sentences

LINE_WORDS = 14
"""Words up to which the sentences of a line are joined."""

LONGEST_WORDS = 60
LONGEST_LETTERS = 600
"""Words and letters of a line that has one sentence only; a longer one is cut."""


def short_lines(line: Turn) -> list[Turn]:
    """Return a line of the transcript as short ones, whose texts joined by spaces are its own."""
    return [Turn(line.speaker, text) for short in whole_sentences([line], LINE_WORDS) for text in _cut(short.text)]


def _cut(sentence: str) -> Iterator[str]:
    words = without_marks(sentence).split()
    pieces = max(-(-len(words) // LONGEST_WORDS), 1)
    for piece in range(pieces):
        yield " ".join(words[piece * len(words) // pieces : (piece + 1) * len(words) // pieces])


def clipped(lines: Sequence[Turn]) -> list[Turn]:
    """Return lines of no more than so many letters: one without a space can be of any length."""
    return [
        Turn(line.speaker, line.text[start : start + LONGEST_LETTERS])
        for line in lines
        for start in range(0, len(line.text), LONGEST_LETTERS)
    ]
