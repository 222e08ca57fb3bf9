"""How good clean transcripts and notes are, in figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maie_training import spoken
from maie_training.splits import words_of

_WORD = re.compile(r"[\w'’.:,$%-]*\w")
_NUMBERS = frozenset(
    word
    for number in (*range(100), 100, 1000)
    for form in (spoken.cardinal(number), spoken.ordinal(number))
    for word in words_of(form)
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


@dataclass
class Matches:
    """Things found and things wanted, counted together over many answers."""

    wanted: int = 0
    found: int = 0
    right: int = 0

    def count(self, wanted: Iterable[Any], found: Iterable[Any]) -> None:
        """Add the things of one answer; equal things may be there more than once."""
        ours, theirs = Counter(wanted), Counter(found)
        self.wanted += ours.total()
        self.found += theirs.total()
        self.right += (ours & theirs).total()

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where nothing was wanted or found."""
        both = self.wanted + self.found
        return 2 * self.right / both if both else 1.0


def action_items(notes: Mapping[str, Any], assignee: bool = True) -> list[tuple[Any, ...]]:
    """Return the action items in a form that compares: words of the description, date, assignee."""
    return [
        (tuple(words_of(item["description"])), item["due_date"], item["assignee"] if assignee else None)
        for item in notes["action_items"]
    ]


def texts(things: Sequence[str]) -> list[tuple[str, ...]]:
    """Return texts in a form that compares: their words."""
    return [tuple(words_of(thing)) for thing in things]
