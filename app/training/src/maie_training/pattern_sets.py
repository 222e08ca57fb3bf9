"""Which sentence patterns a meeting is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from maie_training import patterns, wide_patterns
from maie_training.splits import Side, side_of

PatternChoice = Literal["known", "wide", "unseen"]
PATTERN_CHOICES: tuple[PatternChoice, ...] = get_args(PatternChoice)


@dataclass(frozen=True)
class PatternSet:
    """The patterns of each kind of sentence, as in :mod:`patterns`."""

    status: Sequence[str] = patterns.STATUS
    questions: Sequence[str] = patterns.QUESTIONS
    opinions: Sequence[str] = patterns.OPINIONS
    decisions: Sequence[tuple[str, str]] = patterns.DECISIONS
    requests: Sequence[str] = patterns.REQUESTS
    open_requests: Sequence[str] = patterns.OPEN_REQUESTS
    acceptances: Sequence[str] = patterns.ACCEPTANCES
    volunteers: Sequence[str] = patterns.VOLUNTEERS
    thanks: Sequence[str] = patterns.THANKS
    topic_openers: Sequence[str] = patterns.TOPIC_OPENERS
    greetings: Sequence[str] = patterns.GREETINGS
    dates_of_meeting: Sequence[str] = patterns.DATES_OF_MEETING
    closings: Sequence[str] = patterns.CLOSINGS


def _on_side(group: Sequence[str], side: Side) -> tuple[str, ...]:
    return tuple(pattern for pattern in group if side_of("pattern", pattern) == side)


def _extended(side: Side, known: bool) -> PatternSet:
    """Return the wide patterns of one side, with the known ones added or where there are no others."""

    def group(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
        chosen = _on_side(new, side)
        return (*old, *chosen) if known or not chosen else chosen

    decisions = tuple(pair for pair in wide_patterns.DECISIONS if side_of("pattern", pair[0]) == side)
    return PatternSet(
        status=group(patterns.STATUS, wide_patterns.STATUS),
        questions=group(patterns.QUESTIONS, wide_patterns.QUESTIONS),
        opinions=group(patterns.OPINIONS, wide_patterns.OPINIONS),
        decisions=(*patterns.DECISIONS, *decisions) if known or not decisions else decisions,
        requests=group(patterns.REQUESTS, wide_patterns.REQUESTS),
        open_requests=group(patterns.OPEN_REQUESTS, wide_patterns.OPEN_REQUESTS),
        acceptances=group(patterns.ACCEPTANCES, wide_patterns.ACCEPTANCES),
        volunteers=group(patterns.VOLUNTEERS, wide_patterns.VOLUNTEERS),
        thanks=group(patterns.THANKS, wide_patterns.THANKS),
        topic_openers=group(patterns.TOPIC_OPENERS, wide_patterns.TOPIC_OPENERS),
        greetings=group(patterns.GREETINGS, wide_patterns.GREETINGS),
        dates_of_meeting=group(patterns.DATES_OF_MEETING, wide_patterns.DATES_OF_MEETING),
        closings=group(patterns.CLOSINGS, wide_patterns.CLOSINGS),
    )


@lru_cache
def pattern_set(choice: PatternChoice) -> PatternSet:
    """Return ``known`` (the small set), ``wide`` (known and more) or ``unseen`` ones.

    ``unseen`` has the held-out part of the wide ones, and known ones where a kind has none held out.
    """
    if choice == "known":
        return PatternSet()
    return _extended("train", known=True) if choice == "wide" else _extended("heldout", known=False)
