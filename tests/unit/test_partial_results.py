"""What a task comes to without its language model, and how long each part of it may take."""

from __future__ import annotations

import pytest
from maie.domain import TaskOptions, TaskResult, TaskStatus, to_dict
from maie.errors import LlmTimeout, LlmUnavailable, TaskTimeout
from maie.pipeline import table
from maie.pipeline.partial_results import without_stage, without_the_rest
from maie.settings import Settings
from maie.tasks.counters import increments
from maie.tasks.limits import llm_seconds, speech_seconds
from maie.tasks.model import Outcome, Task, Upload, parse_task

BOTH = TaskOptions(("clean_transcript", "summary"), template_id="meeting_notes_v1")
RESULT = TaskResult(None, {"stage_seconds": {"asr": 1.0, "clean": 0.5}}, {}, ("Noisy.",))


def task(seconds: float | None, words: int | None = None, options: TaskOptions = BOTH) -> Task:
    return Task("id", TaskStatus.PENDING, 1, options, Upload("", 1, seconds, words), "key", "now")


def settings(**changes: float) -> Settings:
    return Settings(profile="embedded", asr_model=".", task_timeout_floor=10, **changes)


def test_what_is_missing_is_a_warning_or_where_it_is_required_an_error() -> None:
    error = LlmUnavailable()
    optional = without_stage(RESULT, table.SUMMARY, error, BOTH)
    assert optional.warnings == ("Noisy.", f"The summary is missing: {error.detail}")
    assert optional.error is None
    required = without_stage(RESULT, table.SUMMARY, error, TaskOptions(llm_required=True))
    assert required.warnings == optional.warnings
    assert required.error == {"code": "llm_unavailable", "detail": error.detail}
    assert without_stage(required, table.CLEAN, LlmTimeout(), TaskOptions(llm_required=True)).error == required.error


def test_only_stages_that_have_not_ended_are_missing() -> None:
    result = without_the_rest(RESULT, TaskTimeout("Too long."), BOTH)
    assert result.warnings == ("Noisy.", "The summary is missing: Too long.")


@pytest.mark.parametrize(
    ("task", "speech", "llm"),
    [
        (task(1.0), 10, 10),
        (task(100.0), 1000, 2 * 300),
        (task(None), 36_000, 2 * 10_800),
        (task(100.0, options=TaskOptions(("clean_transcript",))), 1000, 300),
        (task(None, words=5000), 10, 2 * 5000),
    ],
)
def test_time_limits_follow_from_what_is_worked_on(task: Task, speech: float, llm: float) -> None:
    limits = settings(task_timeout_factor=10, max_audio_seconds=3600, llm_task_timeout_factor=1)
    assert (speech_seconds(task, limits), llm_seconds(task, len(table.asked(task.options)), limits)) == (speech, llm)


def as_stored(task: Task, **more: str) -> Task | None:
    return parse_task({name.encode(): value.encode() for name, value in {**task.fields(), **more}.items()})


def test_a_task_of_text_is_one_that_an_older_release_can_read() -> None:
    """It knows no words, and fails such a task; what must not happen is that it can't list its tasks any more."""
    text, audio = task(None, words=7), task(3.0)
    assert as_stored(text) == text
    assert as_stored(audio) == audio
    assert (text.kind, audio.kind) == ("text", "audio")
    assert '"words"' not in text.fields()["upload"]


def test_a_failed_task_says_whether_it_has_a_result() -> None:
    failed = Outcome(TaskStatus.FAILED, {"code": "timeout", "detail": "x"})
    kept = Outcome(TaskStatus.FAILED, {"code": "llm_timeout", "detail": "x"}, has_result=True)
    states = [as_stored(task(1.0), **outcome.fields()) for outcome in (failed, kept)]
    assert [state is not None and state.has_result for state in states] == [False, True]


def test_text_counts_no_seconds_of_audio() -> None:
    metrics = {"processing_time_seconds": 2.0, "stage_seconds": {"clean": 1.5}, "input_words": 9}
    assert dict(increments(Outcome(TaskStatus.COMPLETE, metrics=metrics))) == {
        "tasks:COMPLETE": 1,
        "processing_seconds": 2.0,
        "stage_seconds:clean": 1.5,
    }


def test_options_are_plain_data() -> None:
    assert TaskOptions.of(to_dict(BOTH)) == BOTH
