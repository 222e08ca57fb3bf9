"""Turn a clean sentence into what a person really says: fillers, repeated words, false starts."""

from __future__ import annotations

import random
from dataclasses import dataclass

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
_MORE_LEADING = tuple("Hmm,|Uhm,|Well,|So, um,|Like,|Ah,|Er, well,|Okay, so, uh,|Mhm,|So, you know,".split("|"))
_MORE_INNER = tuple("hmm,|like,|kind of,|uhm,|you see,|uh, you know,|er, I mean,|let me see,|um, um,".split("|"))
_MORE_FALSE_STARTS = (
    "I wanted to, uh,",
    "So we could, no,",
    "The thing is, um,",
    "What I mean is, uh,",
    "It is like, er,",
    "Actually we, no, sorry,",
    "They said that, um, well,",
    "If we, uh, let me start again,",
    "There was this, no, wait,",
    "And then the, um, sorry,",
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


@dataclass(frozen=True)
class Habits:
    """What a speaker adds to sentences.

    ``repeats`` are the numbers of words that are said twice, ``most`` how many disfluencies a
    sentence can get one after the other, ``names`` what is written with a capital anywhere.
    """

    leading: tuple[str, ...] = _LEADING
    inner: tuple[str, ...] = _INNER
    false_starts: tuple[str, ...] = _FALSE_STARTS
    repeats: tuple[int, ...] = (1, 1, 2)
    most: int = 1
    names: frozenset[str] = frozenset()


def wide_habits(names: frozenset[str]) -> Habits:
    """Return more habits than meetings in the small vocabulary have."""
    return Habits(
        leading=(*_LEADING, *_MORE_LEADING),
        inner=(*_INNER, *_MORE_INNER),
        false_starts=(*_FALSE_STARTS, *_MORE_FALSE_STARTS),
        repeats=(1, 1, 2, 2, 3, 4),
        most=2,
        names=names,
    )


def _continue_with(sentence: str, habits: Habits) -> str:
    """Return the sentence as it goes on from another: small first letter, unless in a name."""
    first = sentence.split()[0].strip(",.?")
    if first in _PROPER or first in habits.names:
        return sentence
    return sentence[0].lower() + sentence[1:]


def _insert_filler(sentence: str, rng: random.Random, habits: Habits) -> str:
    parts = sentence.split()
    place = rng.randrange(1, len(parts))
    before = parts[place - 1]
    parts[place - 1] = before if before.endswith(",") else before + ","
    return " ".join([*parts[:place], rng.choice(habits.inner), *parts[place:]])


def _repeat(sentence: str, rng: random.Random, habits: Habits) -> str:
    parts = sentence.split()
    length = rng.choice(habits.repeats)
    again = " ".join(parts[:length]).rstrip(",")
    return f"{again}, {_continue_with(sentence, habits)}"


def disfluent(sentence: str, rng: random.Random, rate: float, habits: Habits | None = None) -> str:
    """Return ``sentence`` with, at probability ``rate``, one or two disfluencies added.

    The words of the sentence all stay, in their order; only what a clean transcript leaves out
    is added, and punctuation around it.
    """
    habits = habits or Habits()
    if rng.random() >= rate:
        return sentence
    spoken = _stumble(sentence, rng, habits)
    if habits.most > 1 and rng.random() < 0.25:
        spoken = _stumble(spoken, rng, habits)
    return spoken


def _stumble(sentence: str, rng: random.Random, habits: Habits) -> str:
    kind = rng.randrange(5)
    if kind <= 1 and len(sentence.split()) > 2:
        sentence = _insert_filler(sentence, rng, habits)
        if rng.random() < 0.7:
            return sentence
    if kind == 2 and len(sentence.split()) > 3:
        return _repeat(sentence, rng, habits)
    lead = rng.choice(habits.false_starts if kind == 3 else habits.leading)
    return f"{lead} {_continue_with(sentence, habits)}"
