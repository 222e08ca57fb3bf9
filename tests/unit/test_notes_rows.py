"""Rows of notes: how the answers of small models are read, whatever such a model writes."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maie.domain import Turn
from maie.llm.base import Token
from maie.stages.notes.rows import Row, credible, read_rows, support


def tokens(text: str, log_probability: float = 0.0) -> list[Token]:
    return [Token(part, log_probability) for part in re.findall(r"\n| ?[^\s:]+|:|\s", text)]


def read(text: str) -> list[tuple[object, ...]]:
    return [(row.line, row.kind, row.who, row.text, row.date) for row in read_rows(text, tokens(text))]


def test_rows_are_read() -> None:
    items = "2 task Dr. Patel: Ring Oslo: now (2026-05-12)\n2 decision Meet at 9\n3 task nobody: Buy salt"
    answer = f"1 no\n{items}\n4 no\n5 no"
    assert read(answer) == [
        (2, "task", "Dr. Patel", "Ring Oslo: now", "2026-05-12"),
        (2, "decision", None, "Meet at 9", None),
        (3, "task", "nobody", "Buy salt", None),
    ]


@pytest.mark.parametrize(
    "row",
    ["", "no", "task Ann: Go", "1 task Ann", "1 task : Go", "x 2 decision Go", "1 decision", "1 nobody",
     "1 task Ann: (2026-01-02)", "9999999 no"],
)  # fmt: skip
def test_what_is_no_row_says_nothing(row: str) -> None:
    assert read(row) == []


def test_confidence_is_of_kind_and_person_and_an_average_word() -> None:
    half = math.log(0.5)
    parts = [("1", half), (" no", 0.0), (".\n", -9.0), ("2", half), (" task", half), (" Ann", half), (":", -9.0)]
    parts += [(" Go", 0.0), (" home", 2 * half)]
    text = "".join(part for part, _ in parts)
    *_, row = read_rows(text, [Token(*part) for part in parts])
    assert row.confidence == pytest.approx(0.5 * 0.5 * 0.5)


def test_without_probabilities_nothing_is_known_of_confidence() -> None:
    assert [row.confidence for row in read_rows("1 no\n3 decision Go", [])] == [None]


LINES = [Turn("Ann", "I'll ring the dentist in Oslo on Friday morning."), Turn("Ben", "Okay.")]


def row(text: str, confidence: float | None, who: str | None = "Ann", line: int = 0) -> Row:
    return Row(line, "task", who, text, None, confidence)


def test_an_item_is_supported_by_its_line_and_its_words() -> None:
    right = row("Ring the dentist in Oslo on Friday morning", 0.9)
    assert support(right, LINES[0].text) == pytest.approx(0.9)
    assert support(right, LINES[1].text) == pytest.approx(0.9 * 0.6)
    assert support(row("Ring Oslo", 0.9), LINES[0].text) == pytest.approx(0.9 * 4 / 7)
    assert support(row("Ring Oslo", None), LINES[0].text) == pytest.approx(4 / 7)


def test_what_is_hardly_supported_or_said_twice_is_left_out() -> None:
    once = row("Ring the dentist in Oslo on Friday morning", 0.9)
    found = [
        row("Ring the dentist in Oslo on Friday", 0.8),
        row("Ring the dentist in Oslo on Friday", 0.8, "Ben"),
        once,
        row("Buy salt", 0.2),
        row("Buy elephants", 1.0, line=1),
    ]
    assert credible(found, LINES) == [once, found[1]]


@given(
    st.lists(
        st.sampled_from(["1", "22", " ", "no", "key", "task", "decision", ":", "\n", "Ann", "é", "(2026-01-02)", "."])
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_read(parts: list[str]) -> None:
    for found in read_rows("".join(parts), [Token(part, -0.1) for part in parts]):
        assert found.text
        assert found.confidence is None or 0 < found.confidence <= 1
