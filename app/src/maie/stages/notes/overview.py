"""Reads what a model says of a whole conversation, and keeps of it what the transcript bears out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from maie.stages.notes.dates import is_said, read_date
from maie.stages.notes.facts import Transcript
from maie.wording.words import words_of

MOST_TOPICS = 20
MOST_TAGS = 7
TITLE_WORDS = 8
"""Of the first line, which is the title where the model gives none."""

_NAMES = re.compile(r"^(Title|Date|People|Topics|Tags): *(.*)$", re.MULTILINE)
_UNKNOWN = ("", "unknown")


@dataclass(frozen=True)
class Overview:
    """What a conversation is about.

    Attributes:
        title: Never empty.
        day: When it was; None where nobody says so.
    """

    title: str
    day: date | None
    people: tuple[str, ...]
    topics: tuple[str, ...]
    tags: tuple[str, ...]


def read_overview(answer: str, truncated: bool) -> dict[str, str]:
    """Return the lines of an answer by their names, without what is unknown; a last line that is cut is none."""
    whole = answer.rpartition("\n")[0] if truncated else answer
    return {name: text.strip() for name, text in _NAMES.findall(whole) if text.strip() not in _UNKNOWN}


def overview(answers: Sequence[Mapping[str, str]], transcript: Transcript) -> Overview:
    """Return what the parts of a conversation are about together.

    Args:
        answers: What :func:`read_overview` returned, part by part.
        transcript: All parts together.
    """

    def split(name: str, mark: str) -> list[list[str]]:
        return [[text.strip() for text in answer.get(name, "").split(mark)] for answer in answers]

    topics = _most_frequent(split("Topics", ";"), transcript, MOST_TOPICS)
    tags = _most_frequent([[tag.lower() for tag in part] for part in split("Tags", ",")], transcript, MOST_TAGS)
    titles = (answer["Title"] for answer in answers[:1] if "Title" in answer and transcript.has(answer["Title"]))
    days = (read_date(answer.get("Date")) for answer in answers)
    first = " ".join(transcript.lines[0].text.split()[:TITLE_WORDS])
    return Overview(
        title=next((title for title in (*titles, *topics, *tags) if words_of(title)), first),
        day=next((day for day in days if day and is_said(day, transcript.text)), None),
        people=tuple(transcript.people(name for part in split("People", ",") for name in part)),
        topics=tuple(topics),
        tags=tuple(tags),
    )


def _most_frequent(parts: Iterable[Sequence[str]], transcript: Transcript, most: int) -> list[str]:
    """Return what most parts have, in its order, without what the transcript doesn't."""
    found: Counter[tuple[str, ...]] = Counter()
    texts: dict[tuple[str, ...], str] = {}
    for part in parts:
        for text in part:
            words = tuple(words_of(text))
            if words and transcript.has(text):
                found[words] += 1
                texts.setdefault(words, text)
    kept = {words for words, _ in found.most_common(most)}
    return [text for words, text in texts.items() if words in kept]
