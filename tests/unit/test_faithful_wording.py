"""The check of the clean transcript, measured on natural speech that no generator made.

``tests/cases/clean/natural.tsv`` has lines as Whisper writes them, each with its right cleaning. The check was tuned on
some of the topics. The lines of the others were written before anybody saw what the check says of them: their figures
are those that count. A wrong cleaning is a right one with one word that carries meaning removed, or replaced by another
of its class.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from maie.wording.faithful import is_faithful
from support.stack import Figure

CASES = Path(__file__).resolve().parents[1] / "cases" / "clean"
CLASSES = {name: words.split() for name, words in json.loads((CASES / "word_classes.json").read_text()).items()}
HALVES = ("tuned", "held out")
"""Where a line belongs; most were held out once, and served for tuning after they had been seen."""
MOST_CORRUPTIONS = None if os.environ.get("MAIE_TEST_FULL") else 2_500
LEAST_CAUGHT, MOST_REFUSED = 0.99, 0.03
_WORD = re.compile(r"[^\W_]+(?:['’.,:][^\W_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.?!…—\"“]\s*)$")


@dataclass(frozen=True)
class Case:
    topic: str
    raw: str
    clean: str


def cases(half: str) -> list[Case]:
    rows = [line.split("\t") for line in (CASES / "natural.tsv").read_text().splitlines()[1:]]
    return [Case(topic, raw, clean) for where, topic, raw, clean in rows if where == half]


def names() -> list[str]:
    """Return the words with a capital letter within a sentence, "I" and its like aside."""
    return sorted(
        {word for half in HALVES for case in cases(half) for _, word, kind in words(case.clean) if kind == "name"}
    )


def words(line: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """Yield the words of a line that carry meaning, each with its class."""
    for found in _WORD.finditer(line):
        word = found.group()
        if word[0].isdecimal():
            yield found, word, "number"
        elif word[0].isupper() and not word.startswith("I") and not _SENTENCE_START.search(line[: found.start()]):
            yield found, word, "name"
        else:
            for kind, members in CLASSES.items():
                if word.lower() in members:
                    yield found, word, kind


@dataclass(frozen=True)
class Corruption:
    """A line with one word removed or replaced; ``excuse`` says why that may be no loss, if it may."""

    raw: str
    kind: str
    old: str
    new: str
    line: str
    excuse: str


def corruptions(case: Case, rng: random.Random, others: dict[str, list[str]]) -> Iterator[Corruption]:
    """Yield, for each word of a right cleaning that carries meaning, the line without it and the line with another."""
    for found, word, kind in words(case.clean):
        before, after = case.clean[: found.start()], case.clean[found.end() :]
        around = {match.group().lower() for match in [*_WORD.finditer(before)][-1:] + [*_WORD.finditer(after)][:1]}
        for new in (without(word, kind), other(word, rng, others[kind])):
            line = re.sub(r"\s+", " ", f"{before}{new}{after}").strip()
            excuse = "a repetition goes or comes" if (new or word).lower() in around else ""
            yield Corruption(case.raw, kind, word, new, line, excuse)


def without(word: str, kind: str) -> str:
    """Return what is left of a word: nothing, or of a contraction with "not" the verb."""
    if kind == "negation" and word.endswith("n't"):
        return {"can't": "can", "won't": "will"}.get(word.lower(), word[:-3])
    return ""


def other(word: str, rng: random.Random, members: list[str]) -> str:
    """Return another word of the same class; a number in digits becomes another one of as many."""
    if word[0].isdecimal():
        return re.sub(r"\d", lambda found: str((int(found.group()) + rng.randrange(1, 10)) % 10), word, count=1)
    return rng.choice([member for member in members if member.lower() != word.lower()])


@pytest.mark.parametrize("half", HALVES)
def test_right_cleanings_of_natural_speech_are_taken(half: str, figure: Figure) -> None:
    material = cases(half)
    refused = [case.raw for case in material if not is_faithful(case.raw, case.clean, english=True)]
    figure(f"{half}: {len(refused)} of {len(material)} right cleanings refused ({len(refused) / len(material):.1%})")
    assert len(refused) <= MOST_REFUSED * len(material), refused


@pytest.mark.parametrize("half", HALVES)
def test_a_word_that_is_lost_or_replaced_is_seen(half: str, figure: Figure) -> None:
    rng = random.Random(f"corrupt/{half}")
    others = {**CLASSES, "name": names()}
    made = [corruption for case in cases(half) for corruption in corruptions(case, rng, others)]
    rng.shuffle(made)
    made = made[:MOST_CORRUPTIONS]
    counted = [corruption for corruption in made if not corruption.excuse]
    missed = [(wrong.raw, wrong.line) for wrong in counted if is_faithful(wrong.raw, wrong.line, english=True)]
    figure(
        f"{half}: {len(counted) - len(missed)} of {len(counted)} wrong cleanings caught "
        f"({1 - len(missed) / len(counted):.2%}); {dict(sorted(Counter(wrong.kind for wrong in counted).items()))}; "
        f"left out: {dict(Counter(wrong.excuse for wrong in made if wrong.excuse))}"
    )
    assert len(counted) >= 1000
    assert len(missed) <= (1 - LEAST_CAUGHT) * len(counted), missed


@pytest.mark.parametrize("half", HALVES)
def test_a_stretch_that_is_lost_is_seen(half: str, figure: Figure) -> None:
    rng, lines, missed = random.Random(f"cut/{half}"), 0, []
    for case in cases(half):
        written = case.clean.split()
        for length in (2, 3, 4, 6):
            if len(written) >= length + 2:
                start = rng.randrange(len(written) - length + 1)
                left = " ".join(written[:start] + written[start + length :])
                lines += 1
                if is_faithful(case.raw, left, english=True):
                    missed.append((case.raw, left))
    figure(f"{half}: {lines - len(missed)} of {lines} lines without two to six words caught")
    assert lines >= 500
    assert len(missed) <= (1 - LEAST_CAUGHT) * lines, missed


def test_there_is_enough_material() -> None:
    material = [case for half in HALVES for case in cases(half)]
    assert len({case.raw for case in material}) >= 500
    assert len({case.topic for case in material}) >= 20
    assert not {case.topic for case in cases("tuned")} & {case.topic for case in cases("held out")}
