"""The transcript that a task keeps while it waits for the language model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from maie.domain import CleanTranscript, Segment, Summary, TaskResult, Transcript, Word, to_dict
from maie.tasks.files import Files

SEGMENT = Segment(0.0, 1.25, "Hello.", -0.1, 1.1, None, (Word(0.0, 0.5, "Hello.", 0.9),))
FOUND = TaskResult(Transcript("en", (SEGMENT,)), {"rtf": 0.1}, {"asr_model": "m"}, ("It ends early.",))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.prepare()
    (files.uploads / "task").mkdir()
    return files


def test_it_is_read_as_it_was_written(files: Files) -> None:
    assert files.read_recognised("task") is None
    files.write_recognised("task", FOUND)
    assert files.read_recognised("task") == FOUND
    files.remove_upload("task")
    assert files.read_recognised("task") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"transcript": null}', '{"transcript": {"language": "en"}}'])
def test_one_that_can_not_be_read_counts_for_none(files: Files, content: str) -> None:
    files.recognised("task").write_text(content)
    assert files.read_recognised("task") is None


def test_all_that_other_stages_have_added_is_read_too(files: Files) -> None:
    found = replace(FOUND, clean=CleanTranscript("Hello.", 0.5, 0, ("One.",)), summary=Summary("t", {"a": [1]}, 2))
    files.write_recognised("task", found)
    assert files.read_recognised("task") == found


def test_a_result_of_a_release_with_other_fields_is_read_without_them() -> None:
    stored = {**to_dict(FOUND), "of_tomorrow": 1}
    stored["transcript"]["segments"][0]["speaker"] = "A"
    assert TaskResult.of(stored) == FOUND


def test_one_of_a_release_with_other_fields_counts_for_none(files: Files) -> None:
    files.write_recognised("task", FOUND)
    stored = json.loads(files.recognised("task").read_text())
    stored["transcript"]["segments"][0]["speaker"] = "A"
    files.recognised("task").write_text(json.dumps(stored))
    assert files.read_recognised("task") is None
