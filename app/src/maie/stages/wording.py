"""Words as they are compared: without letter case and punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’.,:][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; ``5,000``, ``3:30`` and ``don't`` are one word each."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def edits(before: Sequence[str], after: Sequence[str]) -> int:
    """Return the fewest words to leave out, put in or replace, so that one text becomes the other."""
    row = list(range(len(after) + 1))
    for number, word in enumerate(before, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(after, 1):
            replaced = diagonal + (word != other)
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, replaced)
    return row[-1]
