"""Whether a date that a model wrote can be explained by what was said."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date

from maie.wording.numerals import readings
from maie.wording.words import words_of

MOST_DAYS = 366
"""How far a date without a year may be from the day of the conversation."""

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name} | {
    name.lower(): number for number, name in enumerate(calendar.month_abbr) if name
}
_WEEKDAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_IN_FIGURES = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b|\b(\d{1,2})[./](\d{1,2})[./](\d{4}|\d\d)\b")
_RANK = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")


def read_date(text: str | None) -> date | None:
    """Return the day of a text of the form YYYY-MM-DD, or None where there is no such day."""
    try:
        return date.fromisoformat(text) if text and len(text) == len("2026-01-31") else None
    except ValueError:
        return None


def is_said(day: date, text: str, about: date | None = None) -> bool:
    """Whether a text names a day by its month and its number, and by its year too, or the year follows.

    Args:
        day: The day.
        text: What was said.
        about: The day of the conversation, which tells the year; None where nobody knows it.
    """
    years = {int(word) for word in words_of(text) if re.fullmatch(r"(?:19|20)\d\d", word)}
    follows = about is not None and abs((day - about).days) <= MOST_DAYS
    for year, month, number in _named(text):
        if (month, number) == (day.month, day.day) and (year == day.year or day.year in years or follows):
            return True
    return False


def only_day(text: str, about: date) -> date | None:
    """Return the one day that a text names; None where it names none or several, or where the year is not clear."""
    found = set()
    for year, month, number in _named(text):
        for maybe in (year,) if year else (about.year, about.year + 1):
            try:
                day = date(maybe, month, number)
            except (ValueError, OverflowError):  # "the number 5551234567 may be wrong"
                continue
            if year or 0 <= (day - about).days <= MOST_DAYS:
                found.add(day)
    return found.pop() if len(found) == 1 else None


def follows_from(day: date, text: str, said_on: date) -> bool:
    """Whether a text means a day by its distance from another: "tomorrow", "on Friday", "in two weeks", "the 20th"."""
    words = words_of(text)
    ahead = (day - said_on).days
    if not 0 <= ahead <= MOST_DAYS:
        return False
    near = {"today": 0, "tonight": 0, "tomorrow": 1}
    if any(near.get(word) == ahead for word in words):
        return True
    if any(_WEEKDAYS.get(word) == day.weekday() for word in words) and ahead <= 14:
        return True
    month_ends = day.day == calendar.monthrange(day.year, day.month)[1]
    if ("month" in words and month_ends and ahead <= 62) or ("week" in words and day.weekday() >= 4 and ahead <= 14):
        return True
    numbers = {int(match[1]) for word in words if (match := _RANK.fullmatch(word))}
    numbers |= {int(found.value) for place in range(len(words)) for found in readings(words[place:])}
    lengths = {"day": 1, "days": 1, "week": 7, "weeks": 7}
    if any(ahead == count * lengths[word] for word in words if word in lengths for count in numbers | {1}):
        return True
    return ahead <= 62 and day.day in numbers


def _named(text: str) -> Iterator[tuple[int | None, int, int]]:
    """Yield the days that a text names: year if told, month, number."""
    for found in _IN_FIGURES.finditer(text):
        if found[1]:
            yield int(found[1]), int(found[2]), int(found[3])
        else:
            year = int(found[6]) if len(found[6]) == 4 else 2000 + int(found[6])
            yield year, int(found[4]), int(found[5])
            yield year, int(found[5]), int(found[4])
    words = words_of(text)
    for place, word in enumerate(words):
        if word not in _MONTHS:
            continue
        after, before = words[place + 1 : place + 4], words[max(0, place - 4) : place]
        for number in _first_numbers(after[1:] if after[:1] == ["the"] else after):
            yield None, _MONTHS[word], number
        for number in _last_numbers(before[:-1] if before[-1:] == ["of"] else before):
            yield None, _MONTHS[word], number


def _first_numbers(words: list[str]) -> Iterator[int]:
    """Yield the numbers that some words may begin with."""
    if words and (match := _RANK.fullmatch(words[0])):
        yield int(match[1])
    for found in readings(words):
        yield int(found.value)


def _last_numbers(words: list[str]) -> Iterator[int]:
    """Yield the numbers that some words may end with."""
    if words and (match := _RANK.fullmatch(words[-1])):
        yield int(match[1])
    for start in range(len(words)):
        yield from (int(found.value) for found in readings(words[start:]) if found.words == len(words) - start)
