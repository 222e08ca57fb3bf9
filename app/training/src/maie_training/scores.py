"""Names and numbers that a clean transcript kept, and those that it invented."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from maie_training import spoken

_WORD = re.compile(r"[\w'’.:,$%-]*\w")
_NUMBERS = frozenset(
    word
    for number in (*range(100), 100, 1000)
    for form in (spoken.cardinal(number), spoken.ordinal(number))
    for word in re.findall(r"\w+", form)
) | {"hundred", "thousand"}


def _words(text: str) -> list[str]:
    return [part for word in _WORD.findall(text) for part in word.split("-")]


def protected(clean: str) -> set[str]:
    """Return the names and numbers of a clean text, as they are written.

    Names are the words with a capital within a sentence, numbers those with a digit or in words.
    """
    inner = [word for sentence in re.split(r"(?<=[.?!:])\s+|\n", clean) for word in _words(sentence)[1:]]
    names = {word for word in inner if word[:1].isupper() and word != "I"}
    return names | {word for word in _words(clean) if any(map(str.isdigit, word)) or word.lower() in _NUMBERS}


@dataclass
class Kept:
    """Names and numbers: how many there are, how many an answer kept and how many it invented."""

    wanted: int = 0
    kept: int = 0
    invented: int = 0

    def count(self, raw: str, clean: str, answer: str) -> None:
        """Add one text: what was said, its right clean form, and the answer."""
        names = protected(clean)
        wanted = Counter(word for word in _words(clean) if word in names)
        found = Counter(word for word in _words(answer) if word in names)
        said = {word.lower() for word in _words(raw)}
        self.wanted += wanted.total()
        self.kept += (wanted & found).total()
        self.invented += sum(word.lower() not in said for word in _words(answer) if word in protected(answer))

    @property
    def share(self) -> float:
        """The share that was kept, 0 to 1."""
        return self.kept / self.wanted if self.wanted else 1.0
