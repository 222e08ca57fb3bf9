"""Words as they are compared, without letter case and punctuation, and capitals as they were recognised."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['’.,:][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; ``5,000``, ``3:30`` and ``don't`` are one word each."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def without_new_capitals(raw: str, clean: str) -> str:
    """Return a cleaned line whose words have capitals beyond the first letter only where the raw line has them too.

    Small models write "It'S" for "it's".
    """
    as_heard: dict[str, list[str]] = {}
    for word in _WORD.findall(raw):
        as_heard.setdefault(word.lower(), []).append(word[1:])

    def written(found: re.Match[str]) -> str:
        word = found[0]
        tails = as_heard.get(word.lower(), [word[1:]])
        is_new = word[1:] != word[1:].lower() and word[1:] not in tails
        return word[0] + tails[0] if is_new else word

    return _WORD.sub(written, clean)


def edits(before: Sequence[str], after: Sequence[str]) -> int:
    """Return the fewest words to leave out, put in or replace, so that one text becomes the other."""
    row = list(range(len(after) + 1))
    for number, word in enumerate(before, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(after, 1):
            replaced = diagonal + (word != other)
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, replaced)
    return row[-1]
