"""Numbers, dates and times of day as they are said aloud, in words."""

from __future__ import annotations

from datetime import date

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = ("January February March April May June July August September October November December").split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def cardinal(number: int) -> str:
    """Return ``number`` in words, for 0 to 999,999. Raises ValueError beyond that."""
    if not 0 <= number < 1_000_000:
        raise ValueError(f"no words for {number}")
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return _TENS[tens] + (f"-{_UNITS[unit]}" if unit else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    words = f"{cardinal(head)} {name}"
    if not rest:
        return words
    return f"{words} and {cardinal(rest)}" if rest < 100 else f"{words} {cardinal(rest)}"


def ordinal(number: int) -> str:
    """Return ``number`` as an ordinal in words: 21 → ``twenty-first``."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def year(number: int) -> str:
    """Return a year from 2001 to 2099 as it is said: 2026 → ``twenty twenty-six``."""
    century, rest = divmod(number, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def day_month(day: date) -> str:
    """Return ``the fourteenth of March``."""
    return f"the {ordinal(day.day)} of {MONTHS[day.month - 1]}"


def month_day(day: date) -> str:
    """Return ``March the fourteenth``."""
    return f"{MONTHS[day.month - 1]} the {ordinal(day.day)}"


def weekday_day_month(day: date) -> str:
    """Return ``Saturday the fourteenth of March``."""
    return f"{WEEKDAYS[day.weekday()]} {day_month(day)}"


def full_date(day: date) -> str:
    """Return ``Saturday the fourteenth of March twenty twenty-six``."""
    return f"{weekday_day_month(day)} {year(day.year)}"


def clock(hour: int, minute: int) -> str:
    """Return a time on the twelve-hour clock; ``minute`` is 0, 15, 30 or 45."""
    name, following = cardinal((hour - 1) % 12 + 1), cardinal(hour % 12 + 1)
    return {
        0: f"{name} o'clock",
        15: f"quarter past {name}",
        30: f"half past {name}",
        45: f"quarter to {following}",
    }[minute]
