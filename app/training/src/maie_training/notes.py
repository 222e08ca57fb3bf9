"""The notes of a meeting, written from the facts that were said in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class ActionItem:
    """A task that somebody took.

    ``assignee`` is None when nobody can tell from the words whose it is; ``due_date`` is ISO 8601,
    or None when none was said.
    """

    description: str
    assignee: str | None
    due_date: str | None


@dataclass
class Notes:
    """What a good secretary would write down of a meeting."""

    title: str
    meeting_date: str | None
    participants: list[str]
    summary: str = ""
    agenda: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    action_items: list[ActionItem] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opening:
    """What kind of meeting it is."""

    kind: str
    project: str


@dataclass(frozen=True)
class Today:
    """The day of the meeting."""

    day: date


@dataclass(frozen=True)
class Introduction:
    """Somebody says the own name."""

    person: str


@dataclass(frozen=True)
class Topic:
    """The talk turns to a topic."""

    item: str


@dataclass(frozen=True)
class Decision:
    """Something is decided; ``text`` begins with a verb."""

    text: str


@dataclass(frozen=True)
class Task:
    """Somebody gets or takes a task; ``named`` says whether the words tell who."""

    description: str
    assignee: str
    due: date | None
    named: bool


@dataclass(frozen=True)
class Exchange:
    """A question, and how the answer to it begins, in clean sentences."""

    question: str
    answer: str


Fact = Opening | Today | Introduction | Topic | Decision | Task | Exchange


@dataclass(frozen=True)
class Mark:
    """Where in a meeting a fact was said: the first and the last of the turns that belong to it."""

    first_turn: int
    last_turn: int
    fact: Fact


def take_notes(
    facts: Sequence[Fact],
    participants: Sequence[str],
    day: date | None,
    who: Callable[[Task], str | None],
) -> Notes:
    """Return the notes of these facts, in their order.

    ``day`` is that of the meeting, from which the years of due dates follow: without it they have
    none. ``who`` tells a task's assignee as far as it is known.
    """
    notes = Notes("", day.isoformat() if day else None, list(participants))
    projects = []
    for fact in facts:
        if isinstance(fact, Opening):
            notes.title = f"Project {fact.project} {fact.kind}"
            projects.append(fact.project.lower())
        elif isinstance(fact, Topic):
            notes.agenda.append(fact.item)
        elif isinstance(fact, Decision):
            notes.decisions.append(_large(fact.text))
        elif isinstance(fact, Task):
            due = fact.due.isoformat() if fact.due and day else None
            notes.action_items.append(ActionItem(_large(fact.description), who(fact), due))
    topics = [item.lower() for item in notes.agenda]
    notes.title = notes.title or (f"Meeting about {_enumeration(topics)}" if topics else "Meeting")
    notes.tags = [*projects, *topics]
    notes.summary = _summary(notes)
    return notes


def _enumeration(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _large(text: str) -> str:
    return text[0].upper() + text[1:]


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _summary(notes: Notes) -> str:
    """Return the notes' summary: who spoke of what, what was decided, who does what."""
    people = _enumeration(notes.participants) if notes.participants else "They"
    topics = [item.lower() for item in notes.agenda]
    return " ".join(
        [f"{people} discussed {_enumeration(topics)}." if topics else f"{people} met.", *main_points(notes)]
    )


def main_points(notes: Notes) -> list[str]:
    """Return a sentence for each decision and each task."""
    return [
        *(f"They decided to {_small(decision)}." for decision in notes.decisions),
        *(f"{item.assignee or 'Somebody'} will {_small(item.description)}." for item in notes.action_items),
    ]
