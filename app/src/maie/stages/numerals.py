"""Finds the numbers of an English text, in digits or in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s-]")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
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


@dataclass(frozen=True)
class Number:
    """A number of a text.

    Attributes:
        value: In digits, without separators or ending zeros.
        words: How it is written, in lower case.
        end: Where in the text it ends.
    """

    value: str
    words: tuple[str, ...]
    end: int


@dataclass
class _Growing:
    """A number in words, as far as it was read: ``two hundred thousand and five`` is 200,000 + 5."""

    words: tuple[str, ...] = ()
    end: int = 0
    thousands: int = 0
    below: int = 0

    def takes(self, word: str) -> bool:
        """Whether the number goes on with this word; if so, it has it."""
        last = self.words[-1] if self.words else ""
        if last in _RANKS:
            return False  # "the fifth" is complete
        if word == "and":
            return last in _ROUND
        if word in _SCALES:
            self.thousands, self.below = self.thousands + (self.below or 1) * _SCALES[word], 0
        elif word == "hundred" and self.below < 100:
            self.below = (self.below or 1) * 100
        elif word == "oh" and 10 <= self.below < 100 and not self.thousands:
            self.below *= 100
        elif word in _SMALL and self._adds(_SMALL[word], last):
            self.below += _SMALL[word]
        elif word in _SMALL and _SMALL[word] >= 10 and 10 <= self.below < 100 and not self.thousands:
            self.below = self.below * 100 + _SMALL[word]  # a year: twenty twenty-six
        else:
            return False
        return True

    def _adds(self, value: int, last: str) -> bool:
        """Whether a value completes what is there: ``hundred`` with less than 100, ``twenty`` with less than 10."""
        if not last or last in _SCALES or last == "oh":
            return value < 100
        tens = self.below % 100
        return (tens == 0 and 0 < value < 100 and last in ("hundred", "and")) or (
            tens in range(20, 100, 10) and 0 < value < 10 and last in _SMALL
        )


def numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text in their order."""
    growing = _Growing()
    for token in _TOKEN.finditer(text.lower()):
        word = token.group()
        taken = not word[0].isdecimal() and growing.takes(word)
        if not taken:
            yield from _finished(growing)
            growing = _Growing()
            taken = not word[0].isdecimal() and word != "oh" and growing.takes(word)
        if taken:
            growing.words, growing.end = (*growing.words, word), token.end()
        elif word[0].isdecimal():
            yield Number(_digits(word), (word,), token.end())
    yield from _finished(growing)


def _finished(growing: _Growing) -> Iterator[Number]:
    if growing.words:
        yield Number(str(growing.thousands + growing.below), growing.words, growing.end)


def _digits(written: str) -> str:
    value = Decimal(written.replace(",", ""))
    return f"{value.normalize():f}"
