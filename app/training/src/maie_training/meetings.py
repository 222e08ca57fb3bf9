"""Compose whole meetings: what everybody says, its clean form, and the notes, from one source."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

from maie_training import patterns, spoken, vocabulary
from maie_training.disfluency import wide_habits
from maie_training.notes import (
    Decision,
    Exchange,
    Fact,
    Introduction,
    Mark,
    Notes,
    Opening,
    Task,
    Today,
    Topic,
    take_notes,
)
from maie_training.pattern_sets import PatternChoice, pattern_set
from maie_training.senseless import loosened
from maie_training.sentences import Sentence, Writer
from maie_training.splits import Split

NameChoice = Literal["fixed", "invented"]
NAME_CHOICES: tuple[NameChoice, ...] = get_args(NameChoice)


@dataclass(frozen=True)
class Wording:
    """In which words meetings are held. Without anything given: in those of the small vocabulary.

    ``names`` ``invented`` means names made up for each meeting, and more words and fillers besides;
    ``named`` that the chair is introduced and that volunteers are thanked by name, so that the
    words alone tell who everybody is; ``senseless`` is the share of reports and questions that are
    words without sense, and of other sentences that have some such words.
    """

    patterns: PatternChoice = "known"
    names: NameChoice = "fixed"
    named: bool = False
    senseless: float = 0.0


@dataclass(frozen=True)
class Turn:
    """What one person says before another speaks."""

    speaker: str
    sentences: list[Sentence]


@dataclass(frozen=True)
class Meeting:
    """A meeting's turns and notes; the first of ``notes.participants`` is in the chair.

    ``marks`` tell which fact of the notes was said where.
    """

    turns: list[Turn]
    notes: Notes
    marks: list[Mark]

    @property
    def day(self) -> date:
        """The day on which the meeting is held."""
        return next(mark.fact.day for mark in self.marks if isinstance(mark.fact, Today))


@dataclass
class _Minutes:
    """Collects turns, joining what one speaker says in succession into one turn."""

    turns: list[Turn] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def say(self, speaker: str, *sentences: Sentence) -> int:
        """Add sentences; return the number of their turn."""
        if self.turns and self.turns[-1].speaker == speaker:
            self.turns[-1].sentences.extend(sentences)
        else:
            self.turns.append(Turn(speaker, list(sentences)))
        return len(self.turns) - 1

    def mark(self, fact: Fact, turn: int) -> None:
        """Note that ``fact`` was said from this turn on up to the present one."""
        self.marks.append(Mark(turn, len(self.turns) - 1, fact))


class MeetingComposer:
    """Composes one meeting after another with one random generator."""

    def __init__(
        self,
        rng: random.Random,
        split: Split,
        filler_rate: float = 0.3,
        topics: tuple[int, int] = (2, 4),
        wording: Wording | None = None,
    ) -> None:
        self.rng = rng
        self.split = split
        self.filler_rate = filler_rate
        self.topics = topics
        self.wording = wording or Wording()
        self.patterns = pattern_set(self.wording.patterns)
        self.writer = Writer(rng, split, filler_rate)

    def compose(self) -> Meeting:
        """Return a meeting of two to four people about a few topics."""
        rng = self.rng
        if self.wording.names == "invented":
            known = vocabulary.invented(rng, self.split.names)
            self.writer = Writer(rng, self.split, self.filler_rate, known, wide_habits(known.names))
        writer = self.writer
        people = rng.sample(writer.slots.words.first_names, rng.randint(2, 4))
        minutes = _Minutes()
        day = self._open(minutes, people)
        chair = people[0]
        agenda: list[str] = []
        for _ in range(rng.randint(*self.topics)):
            item, said = self._next_topic(agenda)
            agenda.append(item)
            minutes.mark(Topic(item), minutes.say(chair, said))
            self._discuss(minutes, people, day)
        again = writer.until_allowed(lambda: self._closing(day))
        minutes.say(chair, writer.spoken(again), self._phrase(patterns.FAREWELLS))
        for person in people[1:]:
            minutes.say(person, self._phrase(patterns.FAREWELLS))
        facts = [mark.fact for mark in minutes.marks]
        return Meeting(minutes.turns, take_notes(facts, people, day, lambda task: task.assignee), minutes.marks)

    def _phrase(self, group: Sequence[str]) -> Sentence:
        return self.writer.spoken(self.rng.choice(group))

    def _remark(self, group: Sequence[str]) -> Sentence:
        """Return a sentence that the notes say nothing of."""
        if self.wording.senseless and self.rng.random() < self.wording.senseless:
            return self.writer.senseless()
        return self.writer.write(group)

    def _fill(self, pattern: str, given: Mapping[str, str] | None = None, ending: str = "") -> str:
        """Return a pattern, and an ending that shares its slots, filled; now and then in other words."""
        if self.wording.senseless and self.rng.random() < self.wording.senseless:
            pattern = loosened(pattern, self.rng)
        text = self.writer.slots.fill(pattern + ending, given)
        return text[0].upper() + text[1:]

    def _closing(self, day: date) -> str | None:
        """Return a sentence about the next meeting, after ``day``; None on the wrong side."""
        later = day + timedelta(days=self.rng.randint(2, 40))
        given = {"date": self.writer.slots.spoken_date(later)}
        text = self.writer.slots.fill(self.writer.choose(self.patterns.closings), given)
        return text if self.writer.allowed(text) else None

    def _open(self, minutes: _Minutes, people: list[str]) -> date:
        """Greet, say the date, let the others answer; return the date."""
        rng, writer = self.rng, self.writer

        def draw() -> tuple[Opening, date, str, str] | None:
            day = writer.slots.day()
            kind, project = rng.choice(writer.slots.words.kinds), rng.choice(writer.slots.words.projects)
            fill = writer.slots.fill
            hello = fill(writer.choose(self.patterns.greetings), {"kind": kind, "project": project})
            today = fill(writer.choose(self.patterns.dates_of_meeting), {"today": spoken.full_date(day)})
            if not writer.allowed(hello, today):
                return None
            return Opening(kind, project), day, hello, today

        opening, day, hello, today = writer.until_allowed(draw)
        turn = minutes.say(people[0], writer.spoken(hello), writer.spoken(today))
        minutes.mark(opening, turn)
        minutes.mark(Today(day), turn)
        for person in people if self.wording.named else people[1:]:
            text = f"Hello, this is {person}."
            minutes.mark(Introduction(person), minutes.say(person, Sentence(text, text)))
        return day

    def _next_topic(self, agenda: Sequence[str]) -> tuple[str, Sentence]:
        """Choose a topic that was not on the agenda yet; return it, and how it is opened."""
        rng, writer = self.rng, self.writer

        def draw() -> tuple[str, str] | None:
            topic = rng.choice(writer.slots.words.topics)
            # Too few to be divided by pattern as well: these follow the sentence split alone.
            said = self._fill(rng.choice(self.patterns.topic_openers), {"topic": topic})
            item = topic.removeprefix("the ").capitalize()
            return (item, said) if item not in agenda and writer.allowed(said) else None

        item, said = writer.until_allowed(draw)
        return item, writer.spoken(said)

    def _discuss(self, minutes: _Minutes, people: list[str], day: date) -> None:
        """Talk about one topic: reports, questions, a decision, tasks."""
        rng, writer = self.rng, self.writer
        chair, others = people[0], people[1:]
        for _ in range(rng.randint(1, 3)):
            speaker = rng.choice(others)
            group = rng.choice((self.patterns.status, self.patterns.status, self.patterns.opinions))
            minutes.say(speaker, *(self._remark(group) for _ in range(rng.randint(1, 3))))
            if rng.random() < 0.6:
                asker = rng.choice([person for person in people if person != speaker])
                question = self._remark(self.patterns.questions)
                turn = minutes.say(asker, question)
                answer = (writer.short_answer(), self._remark(self.patterns.status))
                minutes.say(speaker, *answer)
                minutes.mark(Exchange(question.clean, " ".join(part.clean for part in answer)), turn)
        if rng.random() < 0.7:
            self._decide(minutes, chair)
            minutes.say(rng.choice(others), writer.short_answer())
        for _ in range(rng.randint(0, 2)):
            self._hand_out(minutes, people, day)

    def _decide(self, minutes: _Minutes, chair: str) -> None:
        rng, writer = self.rng, self.writer

        def draw() -> tuple[str, str] | None:
            said, noted = rng.choice(self.patterns.decisions)
            # Both are filled as one text, so that their slots get the same values.
            sentence, decision = self._fill(said, ending=f"\n{noted}").split("\n")
            return (sentence, decision) if writer.allowed(sentence) else None

        sentence, decision = writer.until_allowed(draw)
        minutes.mark(Decision(decision), minutes.say(chair, writer.spoken(sentence)))

    def _hand_out(self, minutes: _Minutes, people: list[str], day: date) -> None:
        """Give somebody a task, or let somebody take one, with a date or without."""
        rng, writer, chosen = self.rng, self.writer, self.patterns
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
            group: Sequence[str] = chosen.open_requests
            if dated:
                group = chosen.requests if asked else chosen.volunteers
            said = self._fill(writer.choose(group), given)
            reply = None
            if dated and asked:
                reply = writer.slots.fill(writer.choose(chosen.acceptances), given)
            if not writer.allowed(said, *([reply] if reply else [])):
                return None
            return said, reply, task, due_day

        said, reply, task, due_day = writer.until_allowed(draw)
        volunteered = dated and not asked
        turn = minutes.say(assignee if volunteered else people[0], writer.spoken(said))
        if not volunteered:
            answer = writer.spoken(reply) if reply else writer.short_answer()
            minutes.say(assignee, answer)
        elif self.wording.named:
            # Too few to be divided by sentence: these are on both sides.
            thanks = writer.slots.fill(rng.choice(chosen.thanks), {"name": assignee})
            minutes.say(people[0], writer.spoken(thanks))
        named = not volunteered or self.wording.named
        minutes.mark(Task(task, assignee, due_day if dated else None, named), turn)
