"""Cutting transcripts so that a model can read them, and merging what it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from maie.domain import Turn
from maie.errors import LlmInputTooLong
from maie.prompting.template import BUILT_IN, load_template
from maie.stages.merge import Merger
from maie.stages.parts import split
from maie.wording.words import edits, words_of

SCHEMA = load_template(BUILT_IN / "meeting_notes_v1").schema
AROUND = 10


def count(turns: Sequence[Turn]) -> int:
    """Return the words, and ten for what stands around them."""
    return AROUND + sum(len(turn.text.split()) for turn in turns)


def talk(*lengths: int) -> list[Turn]:
    """Return turns of so many different words."""
    return [Turn(f"S{n % 2}", " ".join(f"w{n}x{k}" for k in range(length))) for n, length in enumerate(lengths)]


def words(turns: Sequence[Turn]) -> list[str]:
    return [word for turn in turns for word in turn.text.split()]


def test_what_fits_stays_whole() -> None:
    turns = talk(5, 5)
    assert split(turns, count, 20) == [turns]


@pytest.mark.parametrize("lengths", [[5] * 60, [1, 30, 2, 25, 3, 3, 3, 28], [7] * 4 + [1] * 70, [30] * 9])
@pytest.mark.parametrize("most", [45, 60, 100])
def test_every_turn_is_in_a_part_and_every_part_fits(lengths: list[int], most: int) -> None:
    turns = talk(*lengths)
    parts = split(turns, count, most)
    assert [turn for part in parts for turn in part] == turns
    assert all(count(part) <= most for part in parts)


def test_parts_are_of_about_equal_length() -> None:
    parts = split(talk(*[5] * 42), count, 110)
    sizes = [len(words(part)) for part in parts]
    assert len(parts) == 3
    assert max(sizes) - min(sizes) <= 15


def test_parts_overlap_by_whole_turns() -> None:
    turns = talk(*[5] * 60)
    parts = split(turns, count, 110, overlap=0.1)
    for before, after in pairwise(parts):
        assert after[0] == before[-1]
        assert after[1] not in before
    assert list(dict.fromkeys(turn for part in parts for turn in part)) == turns
    assert all(count(part) <= 110 for part in parts)


def test_counting_is_done_a_few_times_a_part_only() -> None:
    counts = []

    def counted(turns: Sequence[Turn]) -> int:
        counts.append(1)
        return count(turns)

    parts = split(talk(*[6] * 500), counted, 310)
    assert len(counts) <= 3 * len(parts)


def test_a_turn_that_is_too_long_is_cut_between_sentences() -> None:
    turn = Turn("Igor", "One two three. Four five six! Seven eight nine? Ten.")
    parts = split([turn], count, AROUND + 6)
    assert [[turn.text for turn in part] for part in parts] == [
        ["One two three. Four five six!"],
        ["Seven eight nine? Ten."],
    ]
    assert {turn.speaker for part in parts for turn in part} == {"Igor"}


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    parts = split([Turn(None, " ".join(map(str, range(100))))], count, AROUND + 7)
    assert [word for part in parts for word in words(part)] == list(map(str, range(100)))
    assert all(count(part) <= AROUND + 7 for part in parts)


@pytest.mark.parametrize("most", [AROUND - 1, AROUND])
def test_no_room_at_all_is_a_failure(most: int) -> None:
    with pytest.raises(LlmInputTooLong):
        split(talk(5), count, most)


def test_one_word_that_is_too_long_is_a_failure() -> None:
    with pytest.raises(LlmInputTooLong):
        split([Turn(None, "x")], lambda turns: AROUND + 50 * len(turns), AROUND + 20)


def never(field: str, pieces: Sequence[str], most: int) -> str:
    raise AssertionError(field)


def notes(**fields: Any) -> dict[str, Any]:
    empty = {name: [] for name in ("participants", "agenda", "decisions", "action_items", "tags")}
    return {"title": "A", "meeting_date": None, "summary": "They met.", **empty, **fields}


def task(description: str, assignee: str | None = None, due_date: str | None = None) -> dict[str, Any]:
    return {"description": description, "assignee": assignee, "due_date": due_date}


def test_lists_are_joined_without_what_is_there_already() -> None:
    merger = Merger(SCHEMA, never)
    merged = merger.merge(
        [
            notes(decisions=["Reduce the budget", "Hire"], action_items=[task("Print it", "Maya"), task("Call")]),
            notes(
                title="B",
                meeting_date="2025-04-21",
                decisions=["reduce the budget."],
                action_items=[task("Print it", due_date="2025-05-01"), task("Print it", "Igor"), task("Call")],
            ),
        ]
    )
    assert merged["decisions"] == ["Reduce the budget", "Hire"]
    assert merged["action_items"] == [task("Print it", "Maya", "2025-05-01"), task("Call"), task("Print it", "Igor")]
    assert (merged["title"], merged["meeting_date"], merged["summary"]) == ("A", "2025-04-21", "They met.")
    assert merger.warnings == []


def test_prose_is_joined_and_shortened_only_where_it_is_too_long() -> None:
    values = [notes(summary="One."), notes(summary="Two."), notes(summary="One.")]
    assert Merger(SCHEMA, never).merge(values)["summary"] == "One. Two."
    long = [notes(summary=letter * 2500) for letter in "ab"]
    asked = []

    def shorten(field: str, pieces: Sequence[str], most: int) -> str:
        asked.append((field, len(pieces), most))
        return "Short."

    assert Merger(SCHEMA, shorten).merge(long)["summary"] == "Short."
    assert asked == [("summary", 2, 4000)]


def test_of_a_list_that_is_too_long_the_most_common_stay_and_a_warning_says_so() -> None:
    merger = Merger(SCHEMA, never)
    merged = merger.merge([notes(tags=list("abcdef")), notes(tags=list("ghijkl")), notes(tags=["L", "k"])])
    assert merged["tags"] == ["a", "b", "c", "d", "e", "k", "l"]
    assert merger.warnings == ["5 of 12 tags had to be left out."]


def test_words_are_compared_without_capitals_and_punctuation() -> None:
    assert words_of("Don’t pay 5,000 at 3:30, OK?") == ["don't", "pay", "5,000", "at", "3:30", "ok"]
    assert edits(words_of("um so we we go"), words_of("So we go.")) == 2
    assert edits([], ["a"]) == edits(["a"], []) == edits(["a"], ["b"]) == 1
