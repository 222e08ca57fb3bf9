"""Turn a clean sentence into what a person really says: fillers, repeated words, false starts."""

from __future__ import annotations

import random

from maie_training import words
from maie_training.spoken import MONTHS, WEEKDAYS

_LEADING = ("Um,", "Uh,", "Um, so,", "You know,", "Well, um,", "Uh, well,", "Er,", "I mean,")
_INNER = ("um,", "uh,", "you know,", "I mean,", "er,", "sort of,", "um, you know,")
_FALSE_STARTS = (
    "We need, no, sorry,",
    "I think we, I mean,",
    "The problem is, uh,",
    "What I wanted, um,",
    "On the other, no, wait,",
    "Let us just, um,",
    "I was going to, uh,",
)
_PROPER = frozenset(
    word
    for text in (
        *words.FIRST_NAMES,
        *words.SURNAMES,
        *words.PROJECTS,
        *words.COMPANIES,
        *words.CITIES,
        *MONTHS,
        *WEEKDAYS,
        "I",
        "Project",
    )
    for word in text.split()
)


def _continue_with(sentence: str) -> str:
    """Return the sentence as it goes on from another: small first letter, unless in a name."""
    first = sentence.split()[0].strip(",.?")
    return sentence if first in _PROPER else sentence[0].lower() + sentence[1:]


def _insert_filler(sentence: str, rng: random.Random) -> str:
    parts = sentence.split()
    place = rng.randrange(1, len(parts))
    before = parts[place - 1]
    parts[place - 1] = before if before.endswith(",") else before + ","
    return " ".join([*parts[:place], rng.choice(_INNER), *parts[place:]])


def _repeat(sentence: str, rng: random.Random) -> str:
    parts = sentence.split()
    length = rng.choice((1, 1, 2))
    again = " ".join(parts[:length]).rstrip(",")
    return f"{again}, {_continue_with(sentence)}"


def disfluent(sentence: str, rng: random.Random, rate: float) -> str:
    """Return ``sentence`` with, at probability ``rate``, one or two disfluencies added.

    The words of the sentence all stay, in their order; only what a clean transcript leaves out
    is added, and punctuation around it.
    """
    if rng.random() >= rate:
        return sentence
    kind = rng.randrange(5)
    if kind <= 1 and len(sentence.split()) > 2:
        sentence = _insert_filler(sentence, rng)
        if rng.random() < 0.7:
            return sentence
    if kind == 2 and len(sentence.split()) > 3:
        return _repeat(sentence, rng)
    lead = rng.choice(_FALSE_STARTS if kind == 3 else _LEADING)
    return f"{lead} {_continue_with(sentence)}"
