"""A summary of quotes: the lines that tell most, in their own words.

A model of half a billion parameters mixes up who did what as soon as it sums up in words of its own. A quote is right.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from maie.domain import Turn
from maie.prompting.prompts import label
from maie.wording.key_words import key_words

SHORT_TALK_WORDS = 300
SHORT_TALK_QUOTES = 150
"""Words of a short talk, and of its quotes."""

MOST_OF_TALK = 0.5
"""Share of a talk that is quoted at most."""

GROWTH = 0.4
"""Exponent of the growth: of an hour, 9,000 words, 585 are quoted."""

LEAST_KEY_WORDS = 4
"""Key words without which a line says next to nothing, like a greeting, unless it settles something."""

LENGTH_COUNTS, QUESTION, SETTLES = 0.6, 0.3, 0.4
"""How much a line's length takes from its worth, how much a question has less, and what settles something more."""


def words_to_quote(lines: Sequence[Turn]) -> int:
    """Return how many words of a transcript are quoted."""
    words = sum(len(line.text.split()) for line in lines)
    return int(min(words * MOST_OF_TALK, SHORT_TALK_QUOTES * max(1.0, words / SHORT_TALK_WORDS) ** GROWTH))


def telling_lines(lines: Sequence[Turn], settled: Container[int], most_words: int) -> list[int]:
    """Return the places of the lines that have most key words for their length, as many as there is room for.

    A line that settles something (``settled`` has its place) tells more, a question less, a greeting nothing. There is
    one line at least.
    """

    def tells(place: int) -> float:
        text = lines[place].text
        share = len(key_words(text)) / math.pow(len(text.split()) + 4, LENGTH_COUNTS)
        return share + SETTLES * (place in settled) - QUESTION * text.endswith("?")

    worth = [p for p, line in enumerate(lines) if p in settled or len(key_words(line.text)) >= LEAST_KEY_WORDS]
    chosen: list[int] = []
    room = most_words
    for place in sorted(worth or range(len(lines)), key=tells, reverse=True):
        length = len(lines[place].text.split())
        if not chosen or length <= room:
            chosen.append(place)
            room -= length
    return sorted(chosen)


def passages(lines: Sequence[Turn], places: Sequence[int]) -> list[Turn]:
    """Return the lines at some places; those that follow each other by one speaker are one."""
    found: list[Turn] = []
    last = -1
    for place in places:
        line = lines[place]
        if found and place == last + 1 and line.speaker and line.speaker == found[-1].speaker:
            found[-1] = Turn(line.speaker, f"{found[-1].text} {line.text}")
        else:
            found.append(line)
        last = place
    return found


def quoted(passage: Turn) -> str:
    """Return a passage as a quote."""
    return f"{label(passage)}“{passage.text}”"
