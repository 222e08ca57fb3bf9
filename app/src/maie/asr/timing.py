"""Words with the times of a Whisper model's alignment become segments that end where sentences or pauses do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

LONGEST_USUAL_WORD = 0.7
SHORTEST_LIMIT = 0.4
"""Bounds, in seconds, of a piece's usual word; a single word may take twice as long."""

_SPOKEN_ALOUD = re.compile(r"[\d$€£%]")
"""What is spoken as a word of its own: "$1,250" takes as long as five words."""

PAUSE_SECONDS = 0.8
"""A pause like this ends a segment, whatever the punctuation says."""

LONG_SEGMENT_SECONDS = 10.0
"""From this length on, a comma ends a segment as well."""

_SENTENCE_END = re.compile(r"[.?!…][\"'”’)\]]*$")
_WIDE_END = re.compile(r"[。？！]$")
_CLAUSE_END = re.compile(r"[,;:，、；：،]$")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St)\.$")


@dataclass(frozen=True)
class Timed:
    """A word as the model wrote it: with the space before it, where there is one, and its punctuation."""

    text: str
    start: float
    end: float
    probability: float


def plausible(words: Sequence[Timed]) -> list[Timed]:
    """Return words none of which is longer than anybody would speak it.

    An alignment has no gaps: time without text is added to a neighbouring word. That happens between sentences, so the
    first word of a sentence keeps its end, and all others keep their start.
    """
    lengths = [word.end - word.start for word in words if word.end > word.start]
    longest = 2 * min(LONGEST_USUAL_WORD, max(SHORTEST_LIMIT, median(lengths))) if lengths else 0.0
    shortened: list[Timed] = []
    for place, word in enumerate(words):
        most = longest * max(1, len(_SPOKEN_ALOUD.findall(word.text)))
        if word.end - word.start <= most:
            shortened.append(word)
        elif place == 0 or _ends_sentence(words[place - 1], word):
            shortened.append(replace(word, start=word.end - most))
        else:
            shortened.append(replace(word, end=word.start + most))
    return shortened


def in_segments(words: Iterable[Timed]) -> Iterator[list[Timed]]:
    """Yield words in groups: sentences, cut where somebody pauses, and at a comma where they are long."""
    group: list[Timed] = []
    for word in words:
        if group and _ends_segment(group, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _ends_segment(group: Sequence[Timed], following: Timed) -> bool:
    last = group[-1]
    if following.start - last.end >= PAUSE_SECONDS or _ends_sentence(last, following):
        return True
    return last.end - group[0].start >= LONG_SEGMENT_SECONDS and _CLAUSE_END.search(last.text) is not None


def _ends_sentence(word: Timed, following: Timed) -> bool:
    """Whether a sentence ends with a word: '3.' and '5' of '3.5' have no space between, 'Dr.' is a title."""
    if _WIDE_END.search(word.text):
        return True
    ends = _SENTENCE_END.search(word.text) is not None and _TITLE.search(word.text) is None
    return ends and following.text[:1].isspace()
