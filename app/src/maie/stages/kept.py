"""Whether a cleaned line still says what was said: its names and numbers, no others, and mostly its words.

* A **number** is a value, however it is written: ``5,000``, ``five thousand`` and ``Five Thousand`` are the same.
* A **name** is a word with a capital letter within a sentence, or one at its start that stands elsewhere in the
  transcript with a capital within a sentence. Common words and fillers are none, whatever their capitals.
* They are **kept** when every different name and number of the raw line stands in the clean one, and every one of the
  clean line in the raw one, in any letter case. How often is not compared: what is said twice is to be written once.
* At least half of the clean line's **words** were said, and it has at least a quarter as many as a raw line of
  twelve or more: another text without any name is no cleaning either.
* What the speaker **took back** may go: names and numbers with a word like "sorry" or "no" among the next three words.
  "One" and "second" may go too, for they are seldom numbers.

What follows: a name that a recogniser wrote without a capital may be lost unnoticed, but none can come in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from maie.stages.numerals import Number, numbers
from maie.stages.wording import words_of

MOST_NEW_WORDS = 0.5
LEAST_WORDS = 0.25
LONG_LINE_WORDS = 12

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENDING = re.compile(r"['’](?:s|m|d|t|re|ll|ve)?$")
_OPENING = '"“«([ '
_TAKING_BACK = frozenset("actually correction no mean rather sorry wait".split())
_TAKEN_BACK_WORDS = 3
_RARELY_NUMBERS = frozenset("one second".split())
_COMMON = frozenset(
    "a actually after again ah all also an and any anyway are as at be because been before but by can could did "
    "do does er everyone for from had has have he hello her here hey hi him his hmm how i if in is it its just "
    "let like made maybe mean mhm my no not now of oh ok okay on or our out please right she should so some sorry "
    "sort still sure thank thanks that the their them then there these they this those to too uh uhm um up us "
    "wait was we well were what when where which while who why with would yeah yes yet you your".split()
)


@dataclass(frozen=True)
class _Word:
    """A word in lower case without endings as 's; whether it has a capital, begins a sentence, and where it ends."""

    text: str
    capital: bool
    starts: bool
    end: int


def known_names(lines: Iterable[str]) -> frozenset[str]:
    """Return the words of a transcript that have a capital letter within a sentence, in lower case."""
    words = (word for line in lines for word in _words(line))
    return frozenset(word.text for word in words if word.capital and not word.starts) - _COMMON


def are_kept(raw: str, clean: str, names: frozenset[str]) -> bool:
    """Whether the names, the numbers and most of the words of a line are kept in its clean form.

    Args:
        raw: The line as it was recognised, without its speaker.
        clean: The line as a model cleaned it, likewise.
        names: What :func:`known_names` returned for the whole transcript.
    """
    return _words_are_kept(raw, clean) and _names_are_kept(raw, clean, names) and _numbers_are_kept(raw, clean)


def _words_are_kept(raw: str, clean: str) -> bool:
    said, written = words_of(raw), words_of(clean)
    new = sum(word not in said for word in written)
    shortened = len(said) >= LONG_LINE_WORDS and len(written) < len(said) * LEAST_WORDS
    return new <= len(written) * MOST_NEW_WORDS and not shortened


def _names_are_kept(raw: str, clean: str, names: frozenset[str]) -> bool:
    said, written = list(_words(raw)), list(_words(clean))
    all_written = {word.text for word in written}
    for word in said:
        if _is_name(word, names) and word.text not in all_written and not _is_taken_back(raw, word.end):
            return False
    # A capital at a sentence's start makes a name of what nobody said.
    all_said = {word.text for word in said}
    return all(word.text in all_said or not word.capital or word.text in _COMMON for word in written)


def _numbers_are_kept(raw: str, clean: str) -> bool:
    said, written = list(numbers(raw)), list(numbers(clean))
    if _spelling(said) == _spelling(written):
        return True  # a filler within a number, "six hundred, um, and ten", makes two of it
    values = {number.value for number in written}
    for number in said:
        may_go = number.words[0] in _RARELY_NUMBERS or _is_taken_back(raw, number.end)
        if number.value not in values and not may_go:
            return False
    return values <= {number.value for number in said}


def _spelling(found: Iterable[Number]) -> set[str]:
    return {word for number in found for word in number.words} - {"and"}


def _words(text: str) -> Iterator[_Word]:
    for found in _WORD.finditer(text):
        word, before = found.group(), text[: found.start()]
        starts = before.rstrip(_OPENING)[-1:] in ("", *".?!…:") or before[-1] in _OPENING.strip()
        yield _Word(_ENDING.sub("", word).lower(), word[0].isupper(), starts, found.end())


def _is_name(word: _Word, names: frozenset[str]) -> bool:
    return word.capital and word.text not in _COMMON and (not word.starts or word.text in names)


def _is_taken_back(text: str, end: int) -> bool:
    """Whether one of the words after this place says that what stands before it was wrong."""
    following = (found.group().lower() for found in islice(_WORD.finditer(text, end), _TAKEN_BACK_WORDS))
    return not _TAKING_BACK.isdisjoint(following)
