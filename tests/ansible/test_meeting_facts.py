"""What must be kept of a meeting, in its clean transcript and in its notes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import meeting_facts
from support.smoke import CLEAN, NOTES, REFERENCE


def lost(clean: str, transcript: str = REFERENCE["verbatim"]) -> list[str]:
    facts: list[str] = meeting_facts.lost(meeting_facts.wanted(REFERENCE, transcript), clean, "en")
    return facts


def test_what_is_kept_of_a_meeting() -> None:
    facts = meeting_facts.wanted(REFERENCE, REFERENCE["verbatim"])
    assert {"marcus", "emma", "david", "northgate", "8400", "6100", "contract", "landlord", "friday", "14"} <= facts
    # What was taken back, and what was never said.
    assert not facts & {"wednesday", "built", "anna"}
    assert lost(CLEAN) == []


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (("Marcus", "Mark"), ["marcus"]),
        (("Northgate", "the other"), ["northgate"]),
        (("$6,100", "$6,000"), ["6100"]),
        (("March 14th", "March 15th"), ["14"]),
        (("Thursday", "Tuesday"), ["thursday"]),
        (("signed contract", "papers"), ["contract", "signed"]),
    ],
)
def test_a_clean_transcript_that_loses_a_fact(change: tuple[str, str], gone: list[str]) -> None:
    assert lost(CLEAN.replace(*change)) == gone


@pytest.mark.parametrize(
    "change",
    [("March 14th", "14 March"), ("$6,100", "6,100 dollars"), ("12 spaces", "twelve spaces"), ("It's", "It is")],
)
def test_another_way_of_writing_loses_nothing(change: tuple[str, str]) -> None:
    assert lost(CLEAN.replace(*change)) == []


def test_what_was_not_heard_need_not_be_kept() -> None:
    def misheard(text: str) -> str:
        return text.replace("Northgate", "North Gate").replace("$6,100", "$61,000")

    assert lost(misheard(CLEAN), misheard(REFERENCE["verbatim"])) == []
    assert lost(misheard(CLEAN)) == ["6100", "northgate"]


ITEM = {"description": "Print the checklist", "assignee": "Maya", "due_date": "2025-05-17"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, 1),
        ({"description": "She will print the checklist."}, 1),
        ({"assignee": "maya"}, 1),
        ({"description": "Call the office"}, 0),
        ({"assignee": "Igor"}, 0),
        ({"assignee": None}, 0),
        ({"due_date": "2025-05-18"}, 0),
    ],
)
def test_an_action_item_is_who_what_and_when(changes: dict[str, Any], found: int) -> None:
    said = meeting_facts.in_notes({"action_items": [ITEM]}, {"action_items": [{**ITEM, **changes}] * 2}, "en")
    assert said["action_items"] == {"found": found, "of": 1, "written": 2}


@pytest.mark.parametrize("notes", [{}, {"decisions": "no", "action_items": ["x"], "participants": [{"name": "Anna"}]}])
def test_notes_of_another_form_have_none_of_it(notes: dict[str, Any]) -> None:
    assert {count["found"] for count in meeting_facts.in_notes(NOTES, notes, "en").values()} == {0}
