"""Cuts a transcript into parts that a language model can read in one go."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from maie.domain import Turn
from maie.errors import LlmInputTooLong
from maie.prompting.marks import without_marks
from maie.prompting.prompts import whole_sentences

_SENTENCES = re.compile(r"(?<=[.?!…])\s+")

CAREFUL = 0.9
ROUNDING = 1.05
"""Share of the room that an estimate may fill, and how much longer parts get, so that no single turn is left over."""


def lines_of(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns as a model gets them: whole sentences, and only turns that have text."""
    return [turn for turn in whole_sentences(turns) if without_marks(turn.text)]


def split(
    turns: Sequence[Turn], count: Callable[[Sequence[Turn]], int], most: int, overlap: float = 0.0
) -> list[list[Turn]]:
    """Return parts of about equal length, each of at most so many tokens; all turns are in them, in their order.

    Turns are kept whole where they fit. A longer one is cut between sentences, and between words where it has one
    sentence only. Lengths are estimated from the letters and then counted, because counting may mean to ask a server.

    Args:
        turns: What is to be cut.
        count: Returns the tokens of a prompt with these turns, all that stands around them included.
        most: Tokens that such a prompt may have.
        overlap: Share of a part that the next one begins with again, in whole turns.

    Raises:
        LlmInputTooLong: There is no room for a single word.
    """
    around = count([])
    room, whole = most - around, count(turns) - around
    if room < 1:
        raise LlmInputTooLong
    if whole <= room:
        return [list(turns)]
    # Equal parts, since a short rest would be read without its context.
    number = 2
    while whole > room * CAREFUL * (number - (number - 1) * overlap):
        number += 1
    wanted = sum(map(_letters, turns)) / (number - (number - 1) * overlap) * ROUNDING
    rest, parts = list(turns), []
    while rest:
        take = _first(rest, wanted)
        while (tokens := count(rest[:take]) - around) > room:
            if take == 1:
                rest[:1] = _halves(rest[0])
            take = max(1, min(take - 1, int(take * room / tokens * CAREFUL)))
        parts.append(rest[:take])
        rest = rest[take - _again(rest[:take], overlap * wanted) :] if take < len(rest) else []
    return parts


def _letters(turn: Turn) -> int:
    return len(turn.speaker or "") + len(turn.text) + 2


def _first(turns: Sequence[Turn], letters: float) -> int:
    """Return how many turns from the first on have at most so many letters, but at least 1."""
    number = 0
    while number < len(turns) and (letters := letters - _letters(turns[number])) >= 0:
        number += 1
    return max(1, number)


def _again(turns: Sequence[Turn], letters: float) -> int:
    """Return how many turns from the last back have at most so many letters, but never all."""
    number = 0
    while number < len(turns) - 1 and (letters := letters - _letters(turns[-1 - number])) >= 0:
        number += 1
    return number


def _halves(turn: Turn) -> list[Turn]:
    """Return a turn as two, cut between sentences or else words."""
    for pieces in (_SENTENCES.split(turn.text), turn.text.split()):
        if len(pieces) > 1:
            middle = len(pieces) // 2
            return [Turn(turn.speaker, " ".join(half)) for half in (pieces[:middle], pieces[middle:])]
    raise LlmInputTooLong
