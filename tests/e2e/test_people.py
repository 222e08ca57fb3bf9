"""The embedded language model itself, over HTTP, on what people say: a written talk, and the meeting of the sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from maie.domain import CleanTranscript
from maie.prompting.template import BUILT_IN, load_template
from maie.wording.key_words import share_of
from maie_training.adapter.judge import LEAST_SHARE, Figures, named, turns_of
from maie_training.written import read_talks
from support.audiofiles import REAL_LLM, ROOT, SAMPLE
from support.stack import Figure, Stack
from support.word_errors import wrong_words

pytestmark = pytest.mark.timeout(900)

NOTES = load_template(BUILT_IN / "meeting_notes_v1")
TALK = next(talk for talk in read_talks(ROOT / "tests/cases/talks") if talk.name == "ice-rink-1")
MEETING: dict[str, Any] = json.loads(SAMPLE.with_suffix(".json").read_text())
ASKED = {"features": "clean_transcript,summary,enhancement_metrics", "template_id": "meeting_notes_v1"}


@pytest.fixture(scope="module")
def people(make_stack: Callable[..., Stack]) -> Stack:
    """A service as the profile has it."""
    stack = make_stack(llm_backend="ctranslate2", llm_model=REAL_LLM)
    stack.start("worker", "api")
    return stack


def ended(service: Stack, task_id: str) -> dict[str, Any]:
    """Return a task that has ended well, with valid notes of the embedded model."""
    task: dict[str, Any] = service.wait_final(task_id, 600)
    assert (task["status"], task["error"]) == ("COMPLETE", None)
    assert (task["versions"]["llm"]["name"], task["versions"]["llm"]["prompts"]) == (REAL_LLM.name, "lines")
    jsonschema.validate(task["results"]["summary"], NOTES.schema)
    return task


def test_a_written_talk_comes_back_clean_and_with_who_does_what(people: Stack, figure: Figure) -> None:
    turns = [{"speaker": turn.speaker, "text": turn.text} for turn in turns_of(TALK, named(TALK))]
    with people.client() as client:
        body = {**ASKED, "features": ASKED["features"].split(","), "turns": turns}
        task = ended(people, client.post("/v1/process_text", json=body).json()["task_id"])
    results, raw_lines = task["results"], task["metrics"]["lines_left_raw"]
    figures = Figures()
    figures.clean(TALK, named(TALK), CleanTranscript(results["clean_transcript"], 0.0, raw_lines))
    figures.notes(TALK, named(TALK), results["summary"])
    found = figures.shares()
    figure(str({**found, **task["metrics"]["stage_seconds"]}))
    assert found["clean_wer"] <= 0.03 < found["raw_wer"]
    assert found["raw_lines"] <= 0.1
    assert found["action_items_f1"] >= 0.5
    assert found["facts_in_notes"] >= 0.5


def test_the_meeting_of_the_sample_comes_back_clean_and_with_its_tasks(people: Stack, figure: Figure) -> None:
    task = ended(people, people.accept(SAMPLE.read_bytes(), **ASKED))
    results = task["results"]
    figure(str(task["metrics"]["stage_seconds"]))
    assert wrong_words(MEETING["clean"], results["clean_transcript"]) <= 0.1
    wanted = [item["description"] for item in MEETING["notes_without_speakers"]["action_items"]]
    found = [item["description"] for item in results["summary"]["action_items"]]
    assert sum(any(share_of(text, other) >= LEAST_SHARE for other in found) for text in wanted) >= 2
    assert results["summary"]["meeting_date"] == MEETING["notes"]["meeting_date"]
