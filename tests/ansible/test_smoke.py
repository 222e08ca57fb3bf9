"""What the smoke test judges, and the form of its result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import maie_smoke
import pytest
from ansible.module_utils import journal, notes, speech_api, words
from maie_training.wer import word_error_rate

PROJECT = Path(__file__).parents[2]
SCHEMA = json.loads((PROJECT / "files/schemas/smoke.json").read_text())


def result(**changes: Any) -> dict[str, Any]:
    return {
        "host": "jetson-virtual-01",
        "time": "2025-01-08T01:49:37Z",
        "ok": True,
        "url": "https://10.0.0.7:8000",
        "release": "a" * 12,
        "profile": "embedded",
        "states": ["PENDING", "COMPLETE"],
        "transcript": "we agree",
        "reference": "We agree.",
        "wer": 0.0,
        "differences": [],
        "clean_transcript": "We agree.",
        "clean_wer": 0.0,
        "notes": {"title": "Meeting"},
        "action_items_f1": 1.0,
        "rtf": 0.04,
        "audio_seconds": 30.0,
        "processing_seconds": 1.2,
        "seconds": 2.5,
        "checks": [{"name": "ready", "ok": True, "detail": "HTTP 200"}],
        "units": [
            {
                "name": "maie-api.service",
                "active": True,
                "state": "active (running)",
                "restarts": 0,
                "errors": [],
                "stale_credentials": [],
            }
        ],
        **changes,
    }


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"wer": None, "rtf": None, "transcript": "", "ok": False},
        {"clean_transcript": None, "clean_wer": None, "notes": None, "action_items_f1": None},
    ],
)
def test_results_of_the_schema(changes: dict[str, Any]) -> None:
    jsonschema.validate(result(**changes), SCHEMA)


@pytest.mark.parametrize("changes", [{"wer": -1}, {"rtf": 0}, {"ok": "yes"}, {"checks": []}, {"key": "secret"}])
def test_what_is_no_result(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result(**changes), SCHEMA)


def test_a_report_has_the_fields_of_the_schema(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    reference.write_text('{"verbatim": "We agree."}')
    params = {"url": "https://10.0.0.7:8000", "key": "k", "ca_file": "", "reference": str(reference), "seconds": 1}
    report = maie_smoke.Smoke(params).report
    around = {"host", "time", "ok", "seconds", "checks", "units"}
    assert set(report) | around == set(SCHEMA["required"]) == set(SCHEMA["properties"])


@pytest.mark.parametrize(
    ("states", "right"),
    [
        (["PENDING", "PREPROCESSING", "PROCESSING_ASR", "COMPLETE"], True),
        (["COMPLETE"], True),
        (["PENDING", "PROCESSING_ASR", "PREPROCESSING", "COMPLETE"], False),
        (["PENDING", "FAILED"], False),
        (["PENDING", "PROCESSING_ASR"], False),
        (["unknown"], False),
    ],
)
def test_states_go_forward_and_end_well(states: list[str], right: bool) -> None:
    assert maie_smoke.in_order(states) is right


@pytest.mark.parametrize(
    ("segments", "right"),
    [
        ([{"start": 0.0, "end": 2.0}, {"start": 2.0, "end": 9.5}], True),
        ([], False),
        ([{"start": 2.0, "end": 1.0}], False),
        ([{"start": 5.0, "end": 6.0}, {"start": 1.0, "end": 2.0}], False),
        ([{"start": 0.0, "end": 30.0}], False),
    ],
)
def test_segments_lie_in_the_audio_in_order(segments: list[dict[str, float]], right: bool) -> None:
    assert (maie_smoke.segments_problem(segments, 10.0) is None) is right


def test_words_count_and_not_their_dress() -> None:
    assert words.normalise("  It’s Monday,\nthe eleventh — twenty-five!  ") == "it's monday the eleventh twenty five"
    assert words.word_error_rate("We agree, on Monday.", "we agree on monday") == 0.0
    assert words.word_error_rate("We agree on Monday.", "we agree on sunday") == 0.25
    assert words.word_error_rate("We agree.", "") == 1.0


def test_differences_say_what_was_said_and_what_was_heard() -> None:
    said, heard = "We meet on Monday, at ten.", "we meat on monday at about ten"
    assert words.differences(said, heard) == [{"said": "meet", "heard": "meat"}, {"said": "", "heard": "about"}]
    assert words.differences(said, said.upper()) == []
    assert words.differences(said, "") == [{"said": words.normalise(said), "heard": ""}]


def test_training_counts_errors_by_the_same_rule() -> None:
    said, heard = "It’s the twenty-sixth, Anna_Maria.", "it's the twenty sixth anna maria"
    assert words.word_error_rate(said, heard) == word_error_rate([said], [heard]) == 0.0


def test_errors_of_the_journal() -> None:
    entries = [
        {"PRIORITY": "6", "MESSAGE": '{"event": "worker is ready", "level": "info"}'},
        {"PRIORITY": "6", "MESSAGE": '{"event": "engine died", "level": "error"}'},
        {"PRIORITY": "6", "MESSAGE": "{ not json"},
        {"PRIORITY": "3", "MESSAGE": [72, 105, 255]},
        {"MESSAGE": "no priority"},
    ]
    found = journal.errors("\n".join(json.dumps(entry) for entry in entries))
    assert found == ['{"event": "engine died", "level": "error"}', "Hi\ufffd"]


def test_properties_of_a_unit() -> None:
    assert journal.parse_properties("ActiveState=active\nInvocationID=\nX=a=b\n") == {
        "ActiveState": "active",
        "InvocationID": "",
        "X": "a=b",
    }


ITEM = {"description": "Print the checklist", "assignee": "Maya", "due_date": "2025-05-17"}


@pytest.mark.parametrize(
    ("changes", "f1"),
    [
        ({}, 1.0),
        ({"description": "She will print the checklist."}, 1.0),
        ({"assignee": "maya"}, 1.0),
        ({"description": "Call the office"}, 0.0),
        ({"assignee": "Igor"}, 0.0),
        ({"assignee": None}, 0.0),
        ({"due_date": "2025-05-18"}, 0.0),
    ],
)
def test_an_action_item_is_who_what_and_when(changes: dict[str, Any], f1: float) -> None:
    assert notes.action_items_f1([ITEM], [{**ITEM, **changes}]) == f1


def test_action_items_that_lack_or_are_too_many_count() -> None:
    assert notes.action_items_f1([], []) == 1
    assert notes.action_items_f1([ITEM], []) == notes.action_items_f1([], [ITEM]) == 0
    assert notes.action_items_f1([ITEM], [ITEM, ITEM]) == pytest.approx(2 / 3)


REFERENCE = json.loads((PROJECT / "files/audio/meeting-sample.json").read_text())
NOTES = REFERENCE["notes_without_speakers"]


class NotesApi:
    """Knows the schema of the notes, and nothing else."""

    def call(self, method: str, path: str) -> speech_api.Answer:
        assert (method, path) == ("GET", "/v1/templates/meeting_notes_v1/schema")
        schema = (PROJECT / "app/src/maie/templates/meeting_notes_v1/schema.json").read_text()
        return speech_api.Answer(200, 1.0, schema, json.loads(schema))


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"clean_transcript": None}, ["clean transcript"]),
        ({"clean_transcript": REFERENCE["clean"].replace("the", "a")}, ["clean words"]),
        ({"summary": None}, ["notes"]),
        ({"summary": {**NOTES, "tags": "galaxy"}}, ["notes"]),
        ({"summary": {**NOTES, "action_items": NOTES["action_items"][:1]}}, ["action items"]),
    ],
)
def test_what_the_language_model_wrote_is_judged(changes: dict[str, Any], failed: list[str]) -> None:
    params = {"url": "https://10.0.0.7:8000", "key": "k", "ca_file": "", "seconds": 1}
    params |= {"reference": str(PROJECT / "files/audio/meeting-sample.json"), "template": "meeting_notes_v1"}
    smoke = maie_smoke.Smoke({**params, "max_clean_wer": 0.05, "min_action_items_f1": 0.85})
    smoke.api = NotesApi()
    smoke.language({"clean_transcript": REFERENCE["clean"], "summary": NOTES, **changes}, [])
    assert [check["name"] for check in smoke.checks if not check["ok"]] == failed
