"""Compose whole meetings: what everybody says, its clean form, and the notes, from one source."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from maie_training import patterns, spoken, words
from maie_training.sentences import Sentence, Writer
from maie_training.splits import Split


@dataclass(frozen=True)
class ActionItem:
    """A task that somebody took; ``due_date`` is ISO 8601, or None when none was said."""

    description: str
    assignee: str
    due_date: str | None


@dataclass
class Notes:
    """What a good secretary would write down of a meeting."""

    title: str
    meeting_date: str
    participants: list[str]
    summary: str = ""
    agenda: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    action_items: list[ActionItem] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """What one person says before another speaks."""

    speaker: str
    sentences: list[Sentence]


@dataclass(frozen=True)
class Meeting:
    """A meeting's turns and notes; the first of ``notes.participants`` is in the chair."""

    turns: list[Turn]
    notes: Notes


class _Minutes:
    """Collects turns, joining what one speaker says in succession into one turn."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def say(self, speaker: str, *sentences: Sentence) -> None:
        if self.turns and self.turns[-1].speaker == speaker:
            self.turns[-1].sentences.extend(sentences)
        else:
            self.turns.append(Turn(speaker, list(sentences)))


class MeetingComposer:
    """Composes one meeting after another with one random generator."""

    def __init__(
        self,
        rng: random.Random,
        split: Split,
        filler_rate: float = 0.3,
        topics: tuple[int, int] = (2, 4),
    ) -> None:
        self.rng = rng
        self.topics = topics
        self.writer = Writer(rng, split, filler_rate)

    def compose(self) -> Meeting:
        """Return a meeting of two to four people about a few topics."""
        rng, writer = self.rng, self.writer
        people = rng.sample(writer.slots.first_names, rng.randint(2, 4))
        minutes = _Minutes()
        notes, day = self._open(minutes, people)
        chair = people[0]
        for _ in range(rng.randint(*self.topics)):
            minutes.say(chair, self._next_topic(notes))
            self._discuss(minutes, notes, people, day)
        again = writer.until_allowed(lambda: self._closing(day))
        minutes.say(chair, writer.spoken(again), self._phrase(patterns.FAREWELLS))
        for person in people[1:]:
            minutes.say(person, self._phrase(patterns.FAREWELLS))
        notes.tags = [notes.title.split()[1].lower(), *(item.lower() for item in notes.agenda)]
        notes.summary = _summary(notes)
        return Meeting(minutes.turns, notes)

    def _phrase(self, group: Sequence[str]) -> Sentence:
        return self.writer.spoken(self.rng.choice(group))

    def _closing(self, day: date) -> str | None:
        """Return a sentence about the next meeting, after ``day``; None on the wrong side."""
        later = day + timedelta(days=self.rng.randint(2, 40))
        given = {"date": self.writer.slots.spoken_date(later)}
        text = self.writer.slots.fill(self.writer.choose(patterns.CLOSINGS), given)
        return text if self.writer.allowed(text) else None

    def _open(self, minutes: _Minutes, people: list[str]) -> tuple[Notes, date]:
        """Greet, say the date, let the others answer; return the empty notes and the date."""
        rng, writer = self.rng, self.writer

        def draw() -> tuple[Notes, date, str, str] | None:
            day = writer.slots.day()
            kind, project = rng.choice(words.MEETING_KINDS), rng.choice(words.PROJECTS)
            fill = writer.slots.fill
            hello = fill(writer.choose(patterns.GREETINGS), {"kind": kind, "project": project})
            today = fill(writer.choose(patterns.DATES_OF_MEETING), {"today": spoken.full_date(day)})
            if not writer.allowed(hello, today):
                return None
            title = f"Project {project} {kind}"
            return Notes(title, day.isoformat(), list(people)), day, hello, today

        notes, day, hello, today = writer.until_allowed(draw)
        minutes.say(people[0], writer.spoken(hello), writer.spoken(today))
        for person in people[1:]:
            minutes.say(person, Sentence(f"Hello, this is {person}.", f"Hello, this is {person}."))
        return notes, day

    def _next_topic(self, notes: Notes) -> Sentence:
        """Choose a topic that was not on the agenda yet and put it there."""
        rng, writer = self.rng, self.writer

        def draw() -> tuple[str, str] | None:
            topic = rng.choice(words.TOPICS)
            # Too few to be divided by pattern as well: these follow the sentence split alone.
            said = writer.slots.fill(rng.choice(patterns.TOPIC_OPENERS), {"topic": topic})
            item = topic.removeprefix("the ").capitalize()
            return (item, said) if item not in notes.agenda and writer.allowed(said) else None

        item, said = writer.until_allowed(draw)
        notes.agenda.append(item)
        return writer.spoken(said)

    def _discuss(self, minutes: _Minutes, notes: Notes, people: list[str], day: date) -> None:
        """Talk about one topic: reports, questions, a decision, tasks."""
        rng, writer = self.rng, self.writer
        chair, others = people[0], people[1:]
        for _ in range(rng.randint(1, 3)):
            speaker = rng.choice(others)
            group = rng.choice((patterns.STATUS, patterns.STATUS, patterns.OPINIONS))
            minutes.say(speaker, *(writer.write(group) for _ in range(rng.randint(1, 3))))
            if rng.random() < 0.6:
                asker = rng.choice([person for person in people if person != speaker])
                minutes.say(asker, writer.write(patterns.QUESTIONS))
                minutes.say(speaker, writer.short_answer(), writer.write(patterns.STATUS))
        if rng.random() < 0.7:
            self._decide(minutes, notes, chair)
            minutes.say(rng.choice(others), writer.short_answer())
        for _ in range(rng.randint(0, 2)):
            self._hand_out(minutes, notes, people, day)

    def _decide(self, minutes: _Minutes, notes: Notes, chair: str) -> None:
        rng, writer = self.rng, self.writer

        def draw() -> tuple[str, str] | None:
            said, noted = rng.choice(patterns.DECISIONS)
            # Both are filled as one text, so that their slots get the same values.
            sentence, decision = writer.slots.fill(f"{said}\n{noted}").split("\n")
            return (sentence, decision) if writer.allowed(sentence) else None

        sentence, decision = writer.until_allowed(draw)
        minutes.say(chair, writer.spoken(sentence))
        notes.decisions.append(decision[0].upper() + decision[1:])

    def _hand_out(self, minutes: _Minutes, notes: Notes, people: list[str], day: date) -> None:
        """Give somebody a task, or let somebody take one, with a date or without."""
        rng, writer = self.rng, self.writer
        assignee = rng.choice(people[1:])
        asked, dated = rng.random() < 0.75, rng.random() < 0.85

        def draw() -> tuple[str, str | None, str, date] | None:
            due_day = day + timedelta(days=rng.randint(1, 45))
            task = writer.slots.task(lambda verb: verb.base)
            due = writer.slots.spoken_date(due_day)
            given = {
                "name": assignee,
                "task": task,
                "due": due,
                "due_cap": due[0].upper() + due[1:],
            }
            group: Sequence[str] = patterns.OPEN_REQUESTS
            if dated:
                group = patterns.REQUESTS if asked else patterns.VOLUNTEERS
            said = writer.slots.fill(writer.choose(group), given)
            reply = None
            if dated and asked:
                reply = writer.slots.fill(writer.choose(patterns.ACCEPTANCES), given)
            if not writer.allowed(said, *([reply] if reply else [])):
                return None
            return said, reply, task, due_day

        said, reply, task, due_day = writer.until_allowed(draw)
        volunteered = dated and not asked
        minutes.say(assignee if volunteered else people[0], writer.spoken(said))
        if not volunteered:
            answer = writer.spoken(reply) if reply else writer.short_answer()
            minutes.say(assignee, answer)
        due_date = due_day.isoformat() if dated else None
        notes.action_items.append(ActionItem(task[0].upper() + task[1:], assignee, due_date))


def _enumeration(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _summary(notes: Notes) -> str:
    """Return the notes' summary: who spoke of what, what was decided, who does what."""
    parts = [
        f"{_enumeration(notes.participants)} discussed {_enumeration([item.lower() for item in notes.agenda])}.",
        *(f"They decided to {_small(decision)}." for decision in notes.decisions),
        *(f"{item.assignee} will {_small(item.description)}." for item in notes.action_items),
    ]
    return " ".join(parts)
