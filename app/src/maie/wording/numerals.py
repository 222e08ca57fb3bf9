"""Reads English numbers in words: ``five thousand``, ``twenty-six``; or with digits before a scale: ``5 million``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ROUND = {"hundred", *_SCALES}

_CARDINALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_RANKS = {word: value for value, word in enumerate(_ORDINALS)} | {
    f"{word[:-1]}ieth": value * 10 for value, word in enumerate(_TENS, 2)
}
_SMALL = {word: value for value, word in enumerate(_CARDINALS)} | _RANKS
_SMALL |= {word: value * 10 for value, word in enumerate(_TENS, 2)}

NUMBER_WORDS = frozenset(_SMALL) | _ROUND
"""The words that numbers are made of, without "and", "a" and "oh"."""

DIGITS = {word: str(value) for word, value in _SMALL.items() if word not in _RANKS} | {"oh": "0", "o": "0"}
"""What a word stands for where a number is told digit by digit, or pair by pair: ``five oh five``."""


@dataclass(frozen=True)
class Reading:
    """A number at the beginning of some words: of how many of them, its value in digits, and whether it is a rank."""

    words: int
    value: str
    rank: bool


@dataclass
class _Growing:
    """A number in words, as far as it was read: ``two hundred thousand and five`` is 200,000 + 5."""

    last: str = ""
    thousands: int = 0
    below: int = 0

    def takes(self, word: str) -> bool:
        """Whether the number goes on with this word; if so, it has it."""
        last = self.last
        if last in _RANKS:
            return False  # "the fifth" is complete
        if word == "and":
            taken = last in _ROUND
        elif word.isdecimal():
            taken, self.below = not last, self.below if last else int(word)
        elif word in _SCALES:
            taken = bool(self.below) or not last
            if taken:
                self.thousands, self.below = self.thousands + (self.below or 1) * _SCALES[word], 0
        elif word == "hundred":
            taken = self.below < 100 and last != "hundred"
            if taken:
                self.below = (self.below or 1) * 100
        else:
            taken = self._takes_small(word)
        if taken:
            self.last = word
        return taken

    def _takes_small(self, word: str) -> bool:
        year = 10 <= self.below < 100 and not self.thousands and self.last in _SMALL  # twenty oh five, twenty ten
        if word == "oh" and year:
            self.below *= 100
        elif word in _SMALL and self._adds(_SMALL[word]):
            self.below += _SMALL[word]
        elif word in _SMALL and _SMALL[word] >= 10 and year:
            self.below = self.below * 100 + _SMALL[word]
        else:
            return False
        return True

    def _adds(self, value: int) -> bool:
        """Whether a value completes what is there: ``hundred`` with less than 100, ``twenty`` with less than 10."""
        last = self.last
        if not last or last in _SCALES or last == "oh":
            return value < 100
        tens = self.below % 100
        return (tens == 0 and 0 < value < 100 and last in ("hundred", "and")) or (
            tens in range(20, 100, 10) and 0 < value < 10 and last in _SMALL
        )


def readings(words: Sequence[str]) -> Iterator[Reading]:
    """Yield the numbers that begin with the first of some words in lower case, the shortest first.

    ``twenty twenty six`` is 20, 2020 and 2026: which one is meant can only be told from another way to write it.
    """
    growing = _Growing()
    for count, word in enumerate(words, 1):
        if not growing.takes(word):
            return
        if word != "and":
            yield Reading(count, str(growing.thousands + growing.below), word in _RANKS)
