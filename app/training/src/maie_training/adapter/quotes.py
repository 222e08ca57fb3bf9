"""A summary of quotes: the lines that tell most, in their own words.

A model of half a billion parameters mixes up who did what as soon as it sums up in words of its own. A quote is right.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from maie_training.adapter.tasks import key_words

MOST_WORDS = 100
_QUESTION, _SETTLES = 0.3, 0.4


def telling_lines(lines: Sequence[str], settled: Container[int] = (), most_words: int = MOST_WORDS) -> list[int]:
    """Return the numbers, from 1, of the lines that have most key words for their length, as many as there is room for.

    A line that settles something (``settled`` has its number) tells more, a question less.
    """

    def tells(number: int) -> float:
        line = lines[number - 1]
        share = len(key_words(line)) / math.pow(len(line.split()) + 4, 0.6)
        return share + _SETTLES * (number in settled) - _QUESTION * line.endswith("?")

    chosen, room = [], most_words
    for number in sorted(range(1, len(lines) + 1), key=tells, reverse=True):
        length = len(lines[number - 1].split())
        if length <= room:
            chosen.append(number)
            room -= length
    return sorted(chosen)
