"""The language model's part of the service, over HTTP, with the real models: clean transcripts, notes, and text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from support.action_items import action_items
from support.audiofiles import MEMO, SAMPLE, WRITTEN
from support.processes import wait_for
from support.stack import Stack, assert_problem
from support.word_errors import wrong_words

pytestmark = pytest.mark.usefixtures("leaves_the_service_sound")

SPOKEN, MEETING = (json.loads(path.read_text()) for path in (MEMO.with_suffix(".json"), WRITTEN))
LINES = "\n".join(turn["verbatim"] for turn in MEETING["turns"])
ALL = {"features": "raw_transcript,clean_transcript,summary,enhancement_metrics", "template_id": "meeting_notes_v1"}
SAID = "I mean, thanks everybody, goodbye. Okay, okay, bye."


def post_sample(service: Stack, sample: Path = SAMPLE, **fields: Any) -> str:
    answer = service.post(sample.read_bytes(), **fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a_memo_comes_back_clean_and_with_valid_notes(service: Stack) -> None:
    """The language model knows no such English: what it may change is little, and its notes need only be notes."""
    task = service.wait_final(post_sample(service, MEMO, **ALL))
    assert (task["status"], task["error"]) == ("COMPLETE", None)
    assert (task["kind"], task["template_id"]) == ("audio", "meeting_notes_v1")
    results, metrics = task["results"], task["metrics"]
    assert wrong_words(SPOKEN["clean"], results["clean_transcript"]) <= 0.15
    assert set(metrics["stage_seconds"]) == {"decode", "vad", "asr", "clean", "summary"}
    assert 0 <= metrics["edit_rate_cleaning"] < 0.2
    assert metrics["rtf"] == pytest.approx(metrics["processing_time_seconds"] / SPOKEN["duration"], rel=0.02)
    assert task["versions"]["llm"]["name"] == "tiny-llm-en"
    assert task["versions"]["llm"]["sha256"]
    with service.client() as client:
        schema = client.get("/v1/templates/meeting_notes_v1/schema").json()
        jsonschema.validate(results["summary"], schema)
        text = client.get(f"/v1/tasks/{task['task_id']}/transcript.txt").text
    assert " ".join(text.split()) == results["raw_transcript"]


def test_what_was_not_asked_for_is_null(service: Stack) -> None:
    task = service.wait_final(post_sample(service, features="enhancement_metrics"))
    assert task["results"]["clean_transcript"] is None
    assert task["results"]["summary"] is None
    assert task["metrics"]["edit_rate_cleaning"] > 0


def test_silence_gives_no_words_to_a_language_model(service: Stack, speech: Any) -> None:
    silence = bytes(44) + bytes(32_000)
    wav = speech(1)[:44] + silence
    task = service.wait_final(service.post(wav, **ALL).json()["task_id"])
    assert task["status"] == "COMPLETE"
    assert (task["results"]["clean_transcript"], task["results"]["summary"]) == (None, None)
    assert "There are no words for the language model to work on." in task["warnings"]


def test_text_is_a_task_like_audio(service: Stack) -> None:
    turns = [{"speaker": "Maya", "text": "I mean, thanks everybody, goodbye."}, {"speaker": "Igor", "text": "Okay."}]
    asked = {"features": ["clean_transcript", "enhancement_metrics"]}
    with service.client() as client:
        answer = client.post("/v1/process_text", json={"turns": turns, **asked})
        task_id = answer.json()["task_id"]
        assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/status/{task_id}")
        task = service.wait_final(task_id)
        assert (task["status"], task["kind"]) == ("COMPLETE", "text")
        assert task["results"] == {
            "raw_transcript": None,
            "language": None,
            "segments": [],
            "clean_transcript": "Maya: Thanks everybody, goodbye.\nIgor: Okay.",
            "summary": None,
        }
        assert task["file"] == {
            "filename": "",
            "size_bytes": len(answer.request.content),
            "duration_seconds": None,
            "words": 6,
        }
        assert set(task["metrics"]["stage_seconds"]) == {"clean"}
        assert task["metrics"]["input_words"] == 6
        assert "rtf" not in task["metrics"]
        assert_problem(client.get(f"/v1/tasks/{task_id}/transcript.txt"), 409, "conflict")
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
    assert not list(service.data.rglob(f"*{task_id}*"))


def test_a_meeting_in_the_model_s_own_words_comes_back_clean_and_with_its_notes(service: Stack) -> None:
    asked = {"features": ["clean_transcript", "summary", "enhancement_metrics"], "template_id": "meeting_notes_v1"}
    task = service.wait_final(service.accept_text(LINES, **asked))
    assert (task["status"], task["warnings"], task["metrics"]["lines_left_raw"]) == ("COMPLETE", [], 0)
    assert wrong_words(MEETING["clean"], task["results"]["clean_transcript"]) <= 0.05
    assert action_items(task["results"]["summary"]) == action_items(MEETING["notes_without_speakers"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"text": "", "features": ["clean_transcript"]}, 422, "invalid_request"),
        ({"text": " \n\t "}, 422, "invalid_request"),
        ({"text": "a", "turns": []}, 422, "invalid_request"),
        ({"turns": [{"speaker": "A"}]}, 422, "invalid_request"),
        ({"turns": [{"speaker": "A" * 101, "text": "a"}]}, 422, "invalid_request"),
        ({"text": "a", "colour": "blue"}, 422, "invalid_request"),
        ({"text": "a", "features": ["raw_transcript"]}, 422, "invalid_request"),
        ({"text": "a", "features": ["summary"]}, 422, "invalid_request"),
        ({"text": "a", "features": ["summary"], "template_id": "poem_v1"}, 422, "unknown_template"),
        ({"text": "a" * 1024**2}, 413, "too_large"),
        ({"text": "a " * 200_000}, 413, "too_large"),
        (b"{", 422, "invalid_request"),
        (b"", 422, "invalid_request"),
        (b"\xff\xfe", 422, "invalid_request"),
        (b'{"text": "\\ud800"}', 422, "invalid_request"),
        (b"[" * 100_000, 422, "invalid_request"),
    ],
)
def test_text_that_can_not_be_used_is_a_problem(service: Stack, body: Any, status: int, code: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with service.client() as client:
        answer = client.post("/v1/process_text", content=content, headers={"Content-Type": "application/json"})
    assert_problem(answer, status, code)


def test_text_in_a_form_is_refused_and_so_is_too_much_before_it_is_read(service: Stack) -> None:
    with service.client() as client:
        assert_problem(client.post("/v1/process_text", data={"text": "a"}), 422, "invalid_request")
        chunks = (b"x" * 65536 for _ in range(20))
        answer = client.post("/v1/process_text", content=chunks, headers={"Content-Type": "application/json"})
    assert_problem(answer, 413, "too_large")


def test_an_unknown_template_is_said_before_anything_is_done(service: Stack) -> None:
    answer = service.post(SAMPLE.read_bytes(), features="summary", template_id="poem_v1")
    assert_problem(answer, 422, "unknown_template")


def test_without_a_language_model_text_is_not_available(small: Stack) -> None:
    assert_problem(small.post_text(SAID), 422, "not_available")
    with small.client() as client:
        assert client.get("/v1/templates").json() == {"templates": []}
    assert httpx.get(f"{small.url}/ready").json()["parts"]["llm"] == "unused"


def test_templates_are_listed_with_their_schemas(service: Stack) -> None:
    with service.client() as client:
        templates = {template["id"]: template for template in client.get("/v1/templates").json()["templates"]}
        assert set(templates) == {"generic_summary_v1", "interview_transcript_v1", "meeting_notes_v1"}
        for name, template in templates.items():
            assert client.get(f"/v1/templates/{name}").json() == template
            jsonschema.validate(template["example"], client.get(f"/v1/templates/{name}/schema").json())
        assert_problem(client.get("/v1/templates/poem_v1"), 404, "template_not_found")
        assert_problem(client.get("/v1/templates/text_enhancement_v1/schema"), 404, "template_not_found")


def test_a_task_is_cancelled_within_two_seconds_while_the_language_model_writes(service: Stack) -> None:
    text = "\n".join(turn["verbatim"] for turn in MEETING["turns"] * 3)
    task_id = service.accept_text(text)
    engine = wait_for(lambda: service.status(task_id)["stage"] == "clean", 60, "start of the stage", 0.02)
    assert engine
    began = time.monotonic()
    with service.client() as client:
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
    assert time.monotonic() - began < 2
    lines = [line["event"] for line in service.log("worker") if line.get("task_id") == task_id]
    assert "attempt is given up" in lines
    assert service.wait_final(service.accept_text(SAID))["status"] == "COMPLETE"
