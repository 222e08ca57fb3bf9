"""What notes are made of: quotes, persons, days, and values that fit a schema."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from maie.domain import Turn
from maie.stages.notes.dates import follows_from, is_said, only_day, read_date
from maie.stages.notes.facts import Transcript
from maie.stages.notes.fitting import fitted
from maie.stages.notes.quotes import telling_lines, words_to_quote


def test_a_summary_quotes_what_tells_most_and_is_settled() -> None:
    said = [
        "And so it was there again, I know, and so was I, for the year, as they tell me.",
        "Lime tree felled in March.",
        "Do white owls nest there again?",
        "So white owls nest there again.",
    ]
    lines = [Turn(None, text) for text in said]
    assert telling_lines(lines, [], 11) == [1, 3]
    assert telling_lines(lines, [2], 11) == [1, 2]
    assert telling_lines(lines, [], 100) == [0, 1, 2, 3]
    assert telling_lines(lines, [], 1) == [1]


def test_a_greeting_is_quoted_only_where_nothing_else_was_said() -> None:
    greeting, tells = Turn(None, "Good morning, everyone."), Turn(None, "The lime tree was felled in March.")
    assert telling_lines([greeting, tells], [], 100) == [1]
    assert telling_lines([greeting], [], 100) == [0]


def test_an_hour_has_more_quotes_than_a_short_talk_and_no_talk_more_than_half_of_it() -> None:
    line = Turn(None, "We have talked about chair number one for long enough by now.")
    assert [words_to_quote([line] * count) for count in (1, 10, 25, 750)] == [6, 60, 150, 584]


SAID = Transcript([Turn("Coach Dumont", "Ask Mrs. Kaminski's husband, or Sverre Berg."), Turn("Ann", "I fixed it.")])


@pytest.mark.parametrize(
    ("who", "person"),
    [
        ("Ann", "Ann"),
        ("ann", "Ann"),
        ("Dumont", "Coach Dumont"),
        ("I", "Ann"),
        ("Mrs. Kaminski's husband", "Mrs. Kaminski's husband"),
        ("Sverre", "Sverre"),
        ("Sverre Berg", "Sverre Berg"),
        ("Sverre Larsen", None),
        ("Bob", None),
        ("nobody", None),
        ("we", None),
        ("", None),
        (None, None),
    ],
)
def test_only_who_speaks_or_is_named_gets_a_task(who: str | None, person: str | None) -> None:
    assert SAID.person(who, SAID.lines[1]) == person


def test_a_word_counts_as_said_in_another_form_too() -> None:
    assert SAID.has("Asking Sverre about fixing")
    assert not SAID.has("Asking Sverre about plumbing")


def test_speakers_take_part_or_else_who_is_named() -> None:
    assert SAID.people(["Sverre"]) == ["Coach Dumont", "Ann"]
    unknown = Transcript([replace(line, speaker=f"Speaker {n}") for n, line in enumerate(SAID.lines)])
    assert unknown.people(["Speaker 1", "Sverre", "Bob", ""]) == ["Sverre"]


@pytest.mark.parametrize(
    ("day", "text", "about", "said"),
    [
        ("2026-06-12", "a quote by the 12th of June", "2026-05-18", True),
        ("2026-06-12", "a quote by the 12th of June", None, False),
        ("2026-06-12", "June 12th, 2026", None, True),
        ("2026-06-12", "on the twelfth of June", "2026-05-18", True),
        ("2026-06-21", "on the twenty-first of June", "2026-05-18", True),
        ("2026-06-12", "12.06.2026", None, True),
        ("2026-06-12", "2026-06-12", None, True),
        ("2026-06-13", "June 12th, 2026", None, False),
        ("2026-07-12", "June 12th, 2026", None, False),
        ("2026-03-12", "March 14th. Then 12 spaces in 2026", None, False),
    ],
)
def test_a_day_is_said_by_month_and_number(day: str, text: str, about: str | None, said: bool) -> None:
    assert is_said(date.fromisoformat(day), text, read_date(about)) is said


@pytest.mark.parametrize(
    ("day", "text", "follows"),
    [
        ("2026-05-18", "do it today", True),
        ("2026-05-19", "by tomorrow", True),
        ("2026-05-22", "until Friday", True),
        ("2026-05-21", "until Friday", False),
        ("2026-05-31", "by the end of the month", True),
        ("2026-06-01", "in two weeks", True),
        ("2026-05-25", "in a week", True),
        ("2026-05-20", "by the 20th", True),
        ("2026-08-20", "by the 20th", False),
        ("2026-05-17", "yesterday, on the 17th", False),
    ],
)
def test_a_day_follows_from_that_of_the_talk(day: str, text: str, follows: bool) -> None:
    assert follows_from(date.fromisoformat(day), text, date(2026, 5, 18)) is follows


def test_the_last_of_all_days_is_a_day() -> None:
    assert follows_from(date(9999, 12, 31), "by the end of the month", date(9999, 12, 1))


def test_a_task_is_due_on_the_only_day_that_it_names() -> None:
    met = date(2026, 11, 30)
    assert only_day("Send it by Friday, January 8th", met) == date(2027, 1, 8)
    assert only_day("Send it by January 8th or 9th of January", met) is None
    assert only_day("Send it on February 30th", met) is None
    assert only_day("Send it", met) is None
    assert only_day("Tell them that the number 5551234567 may be wrong", met) is None


@pytest.mark.parametrize(
    ("value", "schema", "fit"),
    [
        ("one two three", {"type": "string", "maxLength": 8}, "one two…"),
        ("x" * 9, {"type": "string", "maxLength": 8}, "xxxxxxx…"),
        (["a", "A.", "b", "", "c"], {"items": {"minLength": 1}, "maxItems": 2}, ["a", "b"]),
        ("soon", {"type": ["string", "null"], "pattern": "^[0-9]+$"}, None),
        ([{"a": "xx", "b": None}], {"items": {"properties": {"a": {"maxLength": 1}}}}, [{"a": "…", "b": None}]),
    ],
)
def test_values_are_made_to_fit(value: Any, schema: dict[str, Any], fit: Any) -> None:
    assert fitted(value, schema) == fit
