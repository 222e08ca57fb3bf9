"""Training samples out of written talks: a chat and the right answer.

Each talk comes several times, as another variant each time, with speakers or without, clean or as it was said, in
shorter or longer lines, sometimes as a part only or with a part of another talk, sometimes misheard.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from maie_training.adapter import tasks
from maie_training.adapter.placing import Sentence, place, sentences_of
from maie_training.adapter.tasks import key_words
from maie_training.adapter.variants import things_in, varied
from maie_training.talk import Turn
from maie_training.written import WrittenTalk

LINE_WORDS = 14
VARIANTS = 8
_FILLERS = ("um,", "uh,", "you know,", "I mean,", "er,", "um", "uh", "like,", "sort of")
_SMALL = frozenset("the a to of in on and we I it is that for with at from you they he she my our".split())
_HEARD_AS = {
    "their": "there", "there": "their", "to": "too", "it's": "its", "you're": "your", "were": "where", "then": "than",
    "for": "four", "by": "buy", "would": "wood", "hear": "here", "right": "write",
}  # fmt: skip

Said = Callable[[str], str]


@dataclass(frozen=True)
class Sample:
    """A task and its right answer."""

    task: str
    chat: tasks.Chat
    answer: str


@dataclass(frozen=True)
class Line:
    """Some sentences of one turn, and their places in the talk."""

    turn: int
    who: str
    said: str
    sentences: tuple[tuple[str, int], ...]


def verbatim(said: str) -> str:
    """What was said, with every slip."""
    return " ".join(Turn("", said).verbatim.split())


def clean(said: str) -> str:
    """What was said, without slips."""
    return Turn("", said).clean


def lines_of(talk: WrittenTalk, most_words: int = LINE_WORDS) -> list[Line]:
    """Join the sentences of each turn to lines of so many words at most, or of one sentence."""
    lines: list[Line] = []
    for number, sentence in enumerate(sentences_of(talk)):
        last = lines[-1] if lines else None
        at = ((talk.name, number),)
        if last and last.turn == sentence.turn and len(f"{last.said} {sentence.said}".split()) <= most_words:
            lines[-1] = Line(last.turn, last.who, f"{last.said} {sentence.said}", last.sentences + at)
        else:
            lines.append(Line(sentence.turn, sentence.who, sentence.said, at))
    return lines


def _items(talk: WrittenTalk, speakers: bool) -> list[tuple[tuple[str, int], str]]:
    """Where each task and decision is settled, and its row."""
    sentences: list[Sentence] = sentences_of(talk)
    rows = [(place(text, None, sentences, task=False), f"decision {text}") for text in talk.notes["decisions"]]
    for item, by_voice in zip(talk.notes["action_items"], talk.by_voice, strict=True):
        who = item["assignee"] if speakers or not by_voice else None
        date = f" ({item['due_date']})" if item["due_date"] else ""
        at = place(item["description"], item["assignee"], sentences, task=True)
        rows.append((at, f"task {who or tasks.NOBODY}: {item['description']}{date}"))
    rows.sort(key=lambda row: (row[0], row[1].split()[0]))
    return [((talk.name, at), row) for at, row in rows]


def settled_rows(lines: Sequence[Line], items: Sequence[tuple[tuple[str, int], str]]) -> str:
    """Return the right answer to :data:`tasks.SETTLED`."""
    rows = []
    for number, line in enumerate(lines, 1):
        own = [row for at, row in items if at in line.sentences]
        rows += [f"{number} {row}" for row in own] or [f"{number} no"]
    return "\n".join(rows)


def _shown(lines: Sequence[Line], speakers: bool, say: Said) -> str:
    return tasks.numbered((line.who if speakers else None, say(line.said)) for line in lines)


def details(talk: WrittenTalk) -> float | None:
    """Return how many key words a task or decision of the talk has on average."""
    texts = (*talk.notes["decisions"], *(item["description"] for item in talk.notes["action_items"]))
    return sum(len(key_words(text)) for text in texts) / len(texts) if texts else None


def misheard(text: str, rng: random.Random, rate: float = 0.06) -> str:
    """Change some words into what a recogniser hears in their place."""
    heard = []
    for word in text.split():
        chance = rng.random() / rate
        if chance < 0.4 and word.lower() in _HEARD_AS:
            heard.append(_HEARD_AS[word.lower()])
        elif chance < 0.15 and len(word) > 5 and word.isalpha() and word.islower():
            heard.append(word[:-1] if word.endswith("s") else f"{word}s")
        elif not (chance < 0.3 and word in _SMALL):
            heard.append(word)
    return " ".join(heard) or text


def _slipped(raw: str, rng: random.Random) -> str:
    """Add slips to a line, or take its punctuation."""
    if rng.random() < 0.1:
        raw = re.sub(r"[.,?!;:—]", "", raw).lower()
    words = raw.split()
    if rng.random() < 0.3 and len(words) > 3:
        words.insert(rng.randrange(1, len(words)), rng.choice(_FILLERS))
    small = [number for number, word in enumerate(words) if word in _SMALL]
    if rng.random() < 0.2 and small:
        number = rng.choice(small)
        words.insert(number, words[number])
    return " ".join(words)


class Material:
    """Draws the samples of some talks, always in the same order for a seed."""

    def __init__(self, talks: Sequence[WrittenTalk], seed: int) -> None:
        self._talks = talks
        self._rng = random.Random(seed)
        self._things = things_in(talks)
        known = sorted(filter(None, map(details, talks)))
        self._many_details = known[len(known) // 2]

    def samples(self, variants: int = VARIANTS) -> Iterator[list[Sample]]:
        """Yield all samples of one variant after the other."""
        for variant in range(variants):
            samples = []
            for original in self._talks:
                talk = varied(original, self._things, self._rng) if variant else original
                samples.append(self._settled(talk))
                if variant % 4 == 1:
                    samples.append(self._overview(talk))
                if variant % 5 == 0:
                    samples += self._clean(talk)
            yield samples

    def _say(self) -> Said:
        said = verbatim if self._rng.random() < 0.6 else clean
        if self._rng.random() < 0.3:
            return lambda text: misheard(said(text), self._rng)
        return said

    def _settled(self, talk: WrittenTalk) -> Sample:
        rng = self._rng
        speakers, most = rng.random() < 0.65, rng.choice((0, 14, 14, 14, 14, 30, 1000))
        lines, items, many = lines_of(talk, most), _items(talk, speakers), details(talk)
        kind = rng.random()
        if kind < 0.15:
            other = varied(rng.choice(self._talks), self._things, rng)
            more = lines_of(other, most)
            length = rng.randint(4, max(5, len(more) // 2))
            start = rng.randint(0, max(0, len(more) - length))
            more = more[start : start + length]
            lines = lines + more if rng.random() < 0.5 else more + lines
            if other.name != talk.name:
                items = items + _items(other, speakers)
            many = details(other) if many is None else many
        elif kind < 0.3 and len(lines) > 12:
            length = rng.randint(len(lines) // 2, len(lines) - 2)
            start = rng.randint(0, len(lines) - length)
            lines = lines[start : start + length]
        full = rng.random() < 0.5 if many is None else many >= self._many_details
        instruction = tasks.SETTLED if full else tasks.SETTLED_BRIEFLY
        chat = tasks.ask(instruction, _shown(lines, speakers, self._say()))
        return Sample("settled", chat, settled_rows(lines, items))

    def _overview(self, talk: WrittenTalk) -> Sample:
        speakers = self._rng.random() < 0.65
        said = verbatim if self._rng.random() < 0.6 else clean
        shown = _shown(lines_of(talk, self._rng.choice((0, 14, 14, 30, 1000))), speakers, said)
        return Sample("overview", tasks.ask(tasks.OVERVIEW, shown), overview(talk, speakers, shown))

    def _clean(self, talk: WrittenTalk) -> Iterator[Sample]:
        rng = self._rng
        speakers = rng.random() < 0.5
        lines = lines_of(talk, rng.choice((0, 14, 14, 30, 1000)))
        while lines:
            length = rng.choice((1, 2, 4, 6, 6, 8, 8, 10))
            part, lines = lines[:length], lines[length:]
            right = [(None, clean(line.said)) for line in part]
            said = [_slipped(verbatim(line.said), rng) if rng.random() < 0.6 else verbatim(line.said) for line in part]
            if rng.random() < 0.1:  # nothing to do is a case too
                said = [text for _, text in right]
            shown = zip((line.who if speakers else None for line in part), said, strict=True)
            yield Sample("clean", tasks.ask(tasks.CLEAN, tasks.numbered(shown)), tasks.numbered(right))


def overview(talk: WrittenTalk, speakers: bool, shown: str) -> str:
    """Return the right answer to :data:`tasks.OVERVIEW`: of people, those whom the transcript names."""
    notes = talk.notes
    people = [person for person in notes["participants"] if speakers or person.split()[-1] in shown]
    return "\n".join(
        (
            f"Title: {notes['title']}",
            f"Date: {notes['meeting_date'] or 'unknown'}",
            f"People: {', '.join(people) or 'unknown'}",
            f"Topics: {'; '.join(notes['agenda'])}",
            f"Tags: {', '.join(notes['tags'])}",
            f"Summary: {' '.join(notes['summary'].split())}",
        )
    )


def settled_sample(talk: WrittenTalk, speakers: bool, say: Said = verbatim) -> Sample:
    """Return a whole talk and its right rows."""
    lines = lines_of(talk)
    return Sample(
        "settled", tasks.ask(tasks.SETTLED, _shown(lines, speakers, say)), settled_rows(lines, _items(talk, speakers))
    )
