"""Training samples: chats with the service's own prompts, and the answers that are wanted."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from maie.domain import Turn
from maie.prompting.prompts import Message, messages
from maie.prompting.template import BUILT_IN, Template, load_template

from maie_training import vocabulary
from maie_training.disfluency import wide_habits
from maie_training.llm.views import SPEAKERS, Speakers, View, degrade, view_meeting
from maie_training.meetings import Meeting, MeetingComposer, Wording
from maie_training.notes import Notes
from maie_training.pattern_sets import PatternChoice
from maie_training.sentences import Writer
from maie_training.splits import Side, Split

TASKS = ("text_enhancement_v1", "meeting_notes_v1", "generic_summary_v1", "interview_transcript_v1")
_TASK_WEIGHTS = (46, 42, 7, 5)
# Known words are the small vocabulary; everything else is wider.
_KNOWN_SHARE = 0.3
_SENSELESS_SHARE = 0.2
# Due dates of the next year come from meetings at a year's end, which are too rare to learn from.
_YEAR_END_SHARE = 0.2


@dataclass(frozen=True)
class Sample:
    """A chat and the answer to it; ``template`` names the task."""

    template: str
    chat: list[Message]
    answer: str


class SampleWriter:
    """Writes training samples with one random generator, all from the training side of the splits."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.templates = {name: load_template(BUILT_IN / name) for name in TASKS}

    def draw(self) -> Sample:
        """Return one sample."""
        task = self.rng.choices(TASKS, _TASK_WEIGHTS)[0]
        senseless = task == "text_enhancement_v1" and self.rng.random() < _SENSELESS_SHARE
        view = senseless_view(self.rng, "train") if senseless else self._meeting_view()
        if task in ("text_enhancement_v1", "meeting_notes_v1") and self.rng.random() < 0.08:
            view = replace(view, turns=degrade(view.turns, self.rng))
        return make_sample(self.templates[task], view)

    def _meeting_view(self) -> View:
        rng = self.rng
        meeting = self._meeting()
        speakers: Speakers = rng.choices(SPEAKERS, (35, 30, 35))[0]
        if rng.random() < 0.7:
            return view_meeting(meeting, rng, speakers)
        borders = part_borders(meeting)
        first, end = sorted(rng.sample(borders, 2))
        day_known = first > 0 and rng.random() < 0.6
        day = meeting.day if day_known else None
        view = view_meeting(meeting, rng, speakers, (first, end), day)
        parts = rng.randint(2, 12)
        part = (1 if first == 0 else rng.randint(2, parts), parts)
        return replace(view, part=part)

    def _meeting(self) -> Meeting:
        rng = self.rng
        rate = rng.choice((0.15, 0.3, 0.3, 0.5, 0.7))
        named = rng.random() < 0.5
        if rng.random() < _KNOWN_SHARE:
            split, wording = Split("train"), Wording(named=named)
        else:
            split = Split("train", "train")
            patterns: PatternChoice = rng.choice(("known", "wide", "wide"))
            wording = Wording(patterns, "invented", named, rng.choice((0.0, 0.2, 0.5)))
        topics = rng.choice(((1, 2), (2, 4), (2, 4), (3, 6)))
        composer = MeetingComposer(rng, split, rate, topics, wording)
        meeting = composer.compose()
        if rng.random() < _YEAR_END_SHARE:
            while (meeting.day.month, meeting.day.day) < (11, 20):
                meeting = composer.compose()
        return meeting


def make_sample(template: Template, view: View) -> Sample:
    """Return the template's task on this view, with its right answer."""
    answer = view.answers()[template.identity]
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return Sample(template.identity, messages(template, view.turns, view.context), text)


def part_borders(meeting: Meeting) -> list[int]:
    """Return the turns before which a meeting can be cut without cutting a fact in two."""
    inside = {turn for mark in meeting.marks for turn in range(mark.first_turn + 1, mark.last_turn + 1)}
    return [turn for turn in range(len(meeting.turns) + 1) if turn not in inside]


def senseless_view(rng: random.Random, side: Side) -> View:
    """Return turns of single sentences and of words without sense: to be copied, whatever they are."""
    known = vocabulary.invented(rng, side)
    habits = wide_habits(known.names)
    writer = Writer(rng, Split("any", side), 0.4, known, habits)
    speakers: list[Any] = rng.choice(([None], [None], [*known.first_names[:3]], ["SPEAKER_00", "SPEAKER_01"]))
    turns, clean = [], []
    for _ in range(rng.randint(2, 14)):
        count = rng.randint(1, 4)
        sentences = [writer.single() if rng.random() < 0.3 else writer.senseless() for _ in range(count)]
        speaker = rng.choice(speakers)
        turns.append(Turn(speaker, " ".join(sentence.verbatim for sentence in sentences)))
        text = " ".join(sentence.clean for sentence in sentences)
        clean.append(f"{speaker}: {text}" if speaker else text)
    return View(turns, clean, Notes("Meeting", None, []), [])
