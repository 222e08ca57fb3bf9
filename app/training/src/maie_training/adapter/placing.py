"""Where in a talk a task or a decision is settled: the sentence that has most of its words, and sounds like it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from maie_training.adapter.tasks import key_words
from maie_training.talk import Turn
from maie_training.written import WrittenTalk

_ABBREVIATED = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|No|a\.m|p\.m)$")
_GIVES = re.compile(
    r"\b(?:can|could|would|will) you\b|\bplease\b|\bI(?:'ll| will| can| could| shall)\b|\blet me\b"
    r"|\bleave (?:that|it) (?:to|with)\b|\bI'm (?:going to|calling|ringing)\b"
    r"|\byou (?:do|take|go|get|call|ring|write|ask|bring|tell|find)\b|\bneeds? to\b|\bsomebody\b|\bwill\b|'ll\b"
    r"|^(?:Then |And |So |Okay, |Right, |[A-Z]\w+, )?(?:call|ring|write|ask|bring|tell|find|take|get|put|send|check"
    r"|make|order|phone|text|fetch|book|draft|move)\b",
    re.IGNORECASE,
)
_AGREES = re.compile(
    r"\b(?:let's|we'll|agreed|okay|fine|deal|then|so|decided|settled|yes|right|it's a|no more"
    r"|we (?:do|take|go|keep)|goes|stays)\b",
    re.IGNORECASE,
)
_TAKES = re.compile(r"\bI\b|\blet me\b", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """A sentence with its marks (see :mod:`maie_training.talk`) and the number of its turn."""

    turn: int
    who: str
    said: str


def _split(said: str) -> list[str]:
    """Split after full stops that are in no mark; what is left out whole joins the sentence before."""
    depth, start, parts = 0, 0, []
    for place, letter in enumerate(said):
        depth += (letter in "{[") - (letter in "}]")
        ends = not depth and letter in ".?!" and said[place + 1 : place + 2] in ("", " ")
        if ends and not _ABBREVIATED.search(said[:place]):
            parts.append(said[start : place + 1].strip())
            start = place + 1
    parts.append(said[start:].strip())
    sentences: list[str] = []
    for part in filter(None, parts):
        if sentences and not Turn("", part).clean.strip():
            sentences[-1] += f" {part}"
        else:
            sentences.append(part)
    return sentences


def sentences_of(talk: WrittenTalk) -> list[Sentence]:
    """Return all sentences of a talk."""
    return [
        Sentence(number, turn.who, said)
        for number, turn in enumerate(talk.turns)
        for said in _split(" ".join(turn.said.split()))
    ]


def place(text: str, who: str | None, sentences: list[Sentence], *, task: bool) -> int:
    """Return the number of the sentence that settles ``text``; of several alike the last one."""
    words = [key_words(Turn("", sentence.said).clean) for sentence in sentences]
    # A word that stands everywhere tells little.
    weights = {key: 1 / math.sqrt(n) for key in key_words(text) if (n := sum(key in there for there in words))}
    total = sum(weights.values()) or 1.0

    def share(there: set[str]) -> float:
        return sum(weight for key, weight in weights.items() if key in there) / total

    best, found = -1.0, len(sentences) - 1
    for number, sentence in enumerate(sentences):
        own = share(words[number])
        if not own:
            continue
        near = set().union(*words[max(0, number - 2) : number + 2])
        score = own + 0.35 * share(near) + 0.004 * number
        if task:
            score += 0.2 * bool(_GIVES.search(sentence.said))
            if who:
                takes = sentence.who == who and _TAKES.search(sentence.said)
                score += 0.25 * bool(takes or (sentence.who != who and who.split()[-1] in sentence.said))
        else:
            score += 0.12 * bool(_AGREES.search(sentence.said)) - 0.1 * sentence.said.endswith("?")
        if score > best:
            best, found = score, number
    return found
