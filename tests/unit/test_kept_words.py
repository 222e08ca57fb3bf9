"""Which names and numbers a cleaned line has to keep."""

from __future__ import annotations

import os

import pytest
from maie.prompts import label
from maie.stages.kept import are_kept, known_names
from maie.stages.numerals import numbers
from maie_training.evaluate_llm import MATERIAL, held_out

NAMES = known_names(["We asked Maya and Igor.", "It was Redstone Media in May."])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("five thousand and two", ["5002"]),
        ("two hundred thousand and five", ["200005"]),
        ("forty-two million", ["42000000"]),
        ("a hundred", ["100"]),
        ("nineteen hundred", ["1900"]),
        ("twenty twenty-six", ["2026"]),
        ("twenty oh five", ["2005"]),
        ("the twenty-first twenty twenty-six", ["21", "2026"]),
        ("one, two three", ["1", "2", "3"]),
        ("five and six", ["5", "6"]),
        ("5,000 and 3.50, on 2026-11-07 at 3:30", ["5000", "3.5", "2026", "11", "7", "3", "30"]),
        ("the 14th, Q3, 25%", ["14", "3", "25"]),
        ("10² m², ① and ½", ["10"]),
        ("no numbers, oh no", []),
    ],
)
def test_a_number_is_its_value_in_words_or_digits(text: str, values: list[str]) -> None:
    assert [number.value for number in numbers(text)] == values


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("um, so we we asked Maya", "We asked Maya."),
        ("Maya, uh, Maya will call Igor's team", "Maya will call Igor's team."),
        ("we asked maya", "We asked Maya."),
        ("It costs five thousand dollars", "It costs $5,000."),
        ("It costs twenty, twenty percent", "It costs twenty percent."),
        ("on May the twenty-first", "On May 21st."),
        ("on Tuesday, no, sorry, on Wednesday", "On Wednesday."),
        ("five, I mean, six people", "Six people."),
        ("one of the, one second, one of the teams", "One of the teams."),
        ("Okay, So, Um, we will see", "We will see."),
        ('he said "Wait for it" and left', 'He said, "Wait for it," and left.'),
        ("I'm sure It's fine and I'll go", "I'm sure it's fine, and I'll go."),
        ("you should gonna do it", "You should do it."),
        ("about six hundred, you know, and thirty euros", "About six hundred and thirty euros."),
        ("um, well, you know, like, uh, yes", "Yes."),
    ],
)
def test_right_cleaning_is_no_loss(raw: str, clean: str) -> None:
    assert are_kept(raw, clean, NAMES)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("We asked Maya and Igor.", "We asked Maya."),
        ("Maya will call.", "She will call."),
        ("We asked her.", "We asked Maya."),
        ("Will call tomorrow.", "Maya will call tomorrow."),
        ("will call tomorrow.", "Bob will call tomorrow."),
        ("It costs five thousand dollars", "It costs five hundred dollars."),
        ("It costs 5,000 dollars", "It costs dollars."),
        ("a few people", "Fifteen people."),
        ("on May the second", "On May the third."),
        ("on the fifth of May", "On the fifth."),
        ("we will do that, you know", "This system obeys."),
        ("so we will look at that again when the others are here as well", "We will look."),
        ("between ten and twenty", "Between twelve and twenty."),
    ],
)
def test_what_is_lost_or_invented_is_seen(raw: str, clean: str) -> None:
    assert not are_kept(raw, clean, NAMES)


@pytest.mark.parametrize("material", MATERIAL)
def test_right_clean_transcripts_of_held_out_meetings_raise_no_alarm(material: str) -> None:
    lines = alarms = 0
    for view in held_out(5, material, 40 if os.environ.get("MAIE_TEST_FULL") else 8):
        names = known_names(turn.text for turn in view.turns)
        for turn, line in zip(view.turns, view.clean, strict=True):
            lines += 1
            alarms += not are_kept(turn.text, line.removeprefix(label(turn)), names)
    assert lines > 100
    assert alarms <= 1 + lines // 1000  # what is said twice across the end of a line is half lost there


def test_names_are_told_by_capitals_within_sentences() -> None:
    assert {"maya", "igor", "redstone", "media", "may"} == NAMES
    assert known_names(["Okay, So I met Dr. Smith. Then We left."]) == {"dr"}
