"""A meeting as a language model gets it, whole or a part, and what it is to answer."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, get_args

from maie.domain import Turn

from maie_training.meetings import Meeting
from maie_training.notes import Exchange, Fact, Introduction, Notes, Task, Today, main_points, take_notes
from maie_training.sentences import Sentence

Speakers = Literal["names", "labels", "none"]
SPEAKERS: tuple[Speakers, ...] = get_args(Speakers)
_LABELS = ("SPEAKER_{:02d}", "SPEAKER_{:02d}", "Speaker {}", "S{}")


@dataclass(frozen=True)
class View:
    """Turns as a service has them, and the right answers.

    ``turns`` have names for speakers, labels of a speaker recognition, or none at all; ``clean`` are
    the lines of the clean transcript; ``given_day`` is what is known of the meeting's day besides.
    """

    turns: list[Turn]
    clean: list[str]
    notes: Notes
    exchanges: list[Exchange]
    given_day: date | None = None
    part: tuple[int, int] | None = None

    @property
    def context(self) -> dict[str, Any]:
        """What the prompts are told besides the turns."""
        part, parts = self.part or (None, None)
        day = self.given_day.isoformat() if self.given_day else None
        return {"part": part, "parts": parts, "meeting_date": day}

    def answers(self) -> dict[str, Any]:
        """Return the right answer to each built-in template, by its name."""
        notes = asdict(self.notes)
        return {
            "text_enhancement_v1": "\n".join(self.clean),
            "meeting_notes_v1": notes,
            "generic_summary_v1": {
                "title": notes["title"],
                "summary": notes["summary"],
                "main_points": main_points(self.notes),
                "tags": notes["tags"],
            },
            "interview_transcript_v1": {
                "title": notes["title"],
                "participants": notes["participants"],
                "questions": [asdict(exchange) for exchange in self.exchanges],
                "tags": notes["tags"],
            },
        }


def view_meeting(
    meeting: Meeting,
    rng: random.Random,
    speakers: Speakers,
    part: tuple[int, int] | None = None,
    given_day: date | None = None,
) -> View:
    """Return the meeting as seen with these speakers; ``part`` are the first turn and that after the last."""
    first, end = part or (0, len(meeting.turns))
    chosen = meeting.turns[first:end]
    marks = [mark for mark in meeting.marks if first <= mark.first_turn and mark.last_turn < end]
    facts = [mark.fact for mark in marks]
    introduced = [fact.person for fact in facts if isinstance(fact, Introduction)]
    order = list(dict.fromkeys(turn.speaker for turn in meeting.turns))
    form = rng.choice(_LABELS)
    names: dict[str, str | None] = dict.fromkeys(order)
    if speakers == "names":
        names.update(zip(order, order, strict=True))
    elif speakers == "labels":
        names.update((person, form.format(number)) for number, person in enumerate(order, 0 if "_" in form else 1))
    lines: list[tuple[str | None, list[Sentence]]] = [(names[turn.speaker], turn.sentences) for turn in chosen]
    if speakers == "none":
        lines = [(None, span) for span in _spans([sentence for turn in chosen for sentence in turn.sentences], rng)]
    elif rng.random() < 0.25:
        lines = [(speaker, span) for speaker, sentences in lines for span in _spans(sentences, rng)]
    turns = [Turn(speaker, _joined(span, "verbatim")) for speaker, span in lines]
    texts = [_joined(span, "clean") for _, span in lines]
    clean = [f"{line[0]}: {text}" if line[0] else text for line, text in zip(lines, texts, strict=True)]
    days = [fact.day for fact in facts if isinstance(fact, Today)]
    day = given_day or (days[0] if days else None)
    return View(
        turns,
        clean,
        take_notes(facts, _participants(chosen, introduced, names), day, lambda task: _who(task, introduced, names)),
        _exchanges(facts),
        given_day,
    )


def _joined(sentences: Sequence[Sentence], form: Literal["verbatim", "clean"]) -> str:
    return " ".join(sentence.clean if form == "clean" else sentence.verbatim for sentence in sentences)


def _exchanges(facts: Sequence[Fact]) -> list[Exchange]:
    return [fact for fact in facts if isinstance(fact, Exchange)]


def _spans(sentences: Sequence[Sentence], rng: random.Random) -> list[list[Sentence]]:
    """Cut a talk into lines as a recogniser does: of a few sentences, now and then within one."""
    most, cut = rng.choice((1, 2, 4, 8)), rng.choice((0.0, 0.0, 0.15))
    pieces = [
        piece for sentence in sentences for piece in (_halves(sentence, rng) if rng.random() < cut else [sentence])
    ]
    spans, place = [], 0
    while place < len(pieces):
        length = rng.randint(1, most)
        spans.append(pieces[place : place + length])
        place += length
    return spans


def _halves(sentence: Sentence, rng: random.Random) -> list[Sentence]:
    """Return a sentence in two pieces, cut where nothing is to be left out; or whole, if it is nowhere so."""
    said, clean = sentence.verbatim.split(), sentence.clean.split()
    # Of words said twice the clean form has the last, so both are compared from their ends.
    places: list[int] = []
    position = len(said)
    for word in reversed(clean):
        position -= 1
        while position >= 0 and said[position].strip(",.?").lower() != word.strip(",.?").lower():
            position -= 1
        places.insert(0, position)
    cuts = [k for k in range(1, len(clean)) if places[k - 1] >= 0 and places[k] == places[k - 1] + 1]
    if not cuts:
        return [sentence]
    cut = rng.choice(cuts)
    return [
        Sentence(" ".join(said[: places[cut]]), " ".join(clean[:cut])),
        Sentence(" ".join(said[places[cut] :]), " ".join(clean[cut:])),
    ]


def _participants(turns: Sequence[Any], introduced: Sequence[str], names: dict[str, str | None]) -> list[str]:
    """Return who takes part: by name where it was said, else by the speaker's label."""
    present = list(dict.fromkeys(turn.speaker for turn in turns))
    known = [person if person in introduced else names[person] for person in present]
    return [person for person in known if person]


def _who(task: Task, introduced: Sequence[str], names: dict[str, str | None]) -> str | None:
    """Return whose task it is, as far as words and labels tell.

    Where no label tells who volunteers, it is the only one who was introduced, or nobody knows.
    """
    if task.named or task.assignee in introduced:
        label = names[task.assignee]
        if task.named or label or len(introduced) == 1:
            return task.assignee
    return names[task.assignee]


def degrade(turns: Sequence[Turn], rng: random.Random) -> list[Turn]:
    """Return turns as a poorer recogniser writes them: no punctuation, and perhaps no capitals."""
    lower = rng.random() < 0.7

    def poor(text: str) -> str:
        text = re.sub(r"(?<!\d)[,.?!]+|[,.?!]+(?!\d)", "", text)
        return text.lower() if lower else text

    return [Turn(turn.speaker, poor(turn.text)) for turn in turns]
