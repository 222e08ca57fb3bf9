"""The same talk with other people, days, numbers and things, in what is said and in the notes alike.

A small model learns a few hundred talks by heart sooner than what a task is; what changes each time it has to copy.
"""

from __future__ import annotations

import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from maie_training.written import WrittenTalk

_FIRST = (
    "Aisha Ben Carla Dmitri Elif Femi Grace Hassan Ingrid Jun Kofi Lena Marek Nadia Owen Paula Quentin Rosa Samir "
    "Tessa Umar Vera Walt Xenia Yusuf Zoe Arjun Bianca Callum Dana Erik Fiona Goran Helen Ivan Jess Keira Liam Mona "
    "Nico Olga Pia Ravi Sofia Tariq Ursula Viktor Wendy Yara Alan Bridget Cosmo Deepa Ezra Flora Gustav Hiro Imogen "
    "Jakub Kemal Lucia Malik Noor Oscar Petra Rashid Sunniva Theo Uma Vikram Winnie Yolanda Zaid"
).split()
_LAST = (
    "Adeyemi Baker Castro Dubois Evans Fischer Gupta Hughes Ito Jensen Kowalski Larsen Mbeki Novak Ortiz Park Quinn "
    "Rossi Shah Tanaka Underwood Varga Walsh Young"
).split()
_TITLES = {"Dr", "Mr", "Mrs", "Ms", "Miss", "Prof", "Professor", "Doctor"}
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_NAME = re.compile(r"[A-Za-zÀ-ɏ'’-]{3,}")
_NOUN = re.compile(
    r"\b(?:the|an?|my|our|your|this) ([a-z]{4,11})"
    r"(?:(?=[.,?!;]| (?:is|was|and|on|in|at|for|to|of|with|before|by)\b)()|)"
)
_NO_THING = re.compile(
    r"(?:ing|ed|ly|est|one|same|time|thing|way|week|month|year|morning|evening|afternoon|night|day)s?$"
)
_NUMBER = re.compile(r"(?<![\d:.])\d+(?![\d:]|\.\d)")


def things_in(talks: Iterable[WrittenTalk]) -> list[str]:
    """Return the words that stand in the talks as nouns do, for :func:`varied`."""
    ends: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for talk in talks:
        for match in _NOUN.finditer(talk.clean):
            (ends if match[2] is not None else others)[match[1]] += 1
    found = (word for word, count in ends.items() if count >= 2 and count >= 1.5 * others[word])
    return sorted(word for word in found if not _NO_THING.search(word))


def _changed(talk: WrittenTalk, change: Callable[[str], str]) -> WrittenTalk:
    def everywhere(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, list):
            return [everywhere(item) for item in value]
        if isinstance(value, dict):
            return {name: item if name.endswith("_date") else everywhere(item) for name, item in value.items()}
        return value

    turns = tuple(replace(turn, who=change(turn.who), said=change(turn.said)) for turn in talk.turns)
    return replace(talk, turns=turns, notes=everywhere(copy.deepcopy(talk.notes)))


def _other_names(talk: WrittenTalk, text: str, rng: random.Random) -> dict[str, str]:
    first, last = iter(rng.sample(_FIRST, len(_FIRST))), iter(rng.sample(_LAST, len(_LAST)))
    people = {turn.who for turn in talk.turns} | {item["assignee"] for item in talk.notes["action_items"]} - {None}
    names: dict[str, str] = {}
    for person in sorted(people):
        words = person.split()
        if len(words) == 1 and words[0][0].isupper() and f"the {person}" not in text:
            names[words[0]] = next(first)
        elif len(words) == 2 and words[0].rstrip(".") in _TITLES:
            names[words[1]] = next(last)
        elif len(words) == 2 and words[0][0].isupper():
            names[words[0]] = next(first)
    return {name: other for name, other in names.items() if _NAME.fullmatch(name)}


def _other_things(talk: WrittenTalk, text: str, things: list[str], rng: random.Random) -> dict[str, str]:
    said, noted = set(re.findall(r"\w+", text)), set(re.findall(r"\w+", str(talk.notes)))
    own = [word for word in things if word in said and word in noted]
    changed: dict[str, str] = {}
    for word in rng.sample(own, min(len(own), rng.randint(1, 3))):
        alike = [other for other in things if other.endswith("s") == word.endswith("s") and other not in said]
        if alike:
            other = rng.choice(alike)
            changed |= {word: other, word.capitalize(): other.capitalize()}
    return changed


def varied(talk: WrittenTalk, things: list[str], rng: random.Random) -> WrittenTalk:
    """Return the talk with other names, and often other days, things and numbers.

    Days of the week and the numbers of days stay where the notes have a date.
    """
    text = " ".join(turn.said for turn in talk.turns)
    dated = any((talk.notes["meeting_date"], *(item["due_date"] for item in talk.notes["action_items"])))
    words = _other_names(talk, text, rng)
    if not dated and rng.random() < 0.6:
        words |= dict(zip(_DAYS, rng.sample(_DAYS, len(_DAYS)), strict=True))
    if rng.random() < 0.3:
        words |= _other_things(talk, text, things, rng)
    if words:
        longest_first = sorted(map(re.escape, words), key=len, reverse=True)
        any_word = re.compile(rf"\b({'|'.join(longest_first)})\b")
        talk = _changed(talk, lambda text: any_word.sub(lambda match: words[match[1]], text))
    if rng.random() < 0.6:
        numbers: dict[str, str] = {}

        def other_number(match: re.Match[str]) -> str:
            digits = match[0]
            year = len(digits) == 4 and digits[:2] in ("19", "20")
            if year or len(digits) < 2 or (dated and len(digits) == 2):
                return digits
            if digits not in numbers:
                rest = "".join("0" if digit == "0" else rng.choice("0123456789") for digit in digits[1:])
                numbers[digits] = rng.choice("123456789") + rest
            return numbers[digits]

        talk = _changed(talk, lambda text: _NUMBER.sub(other_number, text))
    return talk
