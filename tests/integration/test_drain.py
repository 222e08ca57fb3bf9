"""Tasks that wait for the language model share one start of its server, whatever ends in between."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import dying_worker
from support.audiofiles import MEMO, reference_text
from support.processes import Process, Unit, wait_for
from support.stack import Speech, Stack
from support.swapping import Swapping, Units
from support.word_errors import wrong_words

CLEANED = {"features": "raw_transcript,clean_transcript"}
SOON = {"lease_seconds": 2, "sweep_seconds": 1}
"""A killed worker is missed after so long."""


@pytest.fixture
def swapping(make_swapping: Callable[..., Swapping]) -> Swapping:
    stack, units = make_swapping(start_seconds=0.5, **SOON)
    stack.start("api", "worker")
    return stack, units


def clean(stack: Stack, audio: bytes | None = None) -> str:
    """Have the memo, or other audio, transcribed and cleaned."""
    return stack.accept(audio or MEMO.read_bytes(), **CLEANED)


def is_parked(stack: Stack, task: str) -> bool:
    state = stack.status(task)
    return (state["status"], state["stage"], state["progress"]) == ("PENDING", "asr", 1.0)


def ends(stack: Stack, *tasks: str) -> list[dict[str, Any]]:
    """Wait for the end of the tasks, each complete, ended once and with nothing missing."""
    states = [stack.wait_final(task) for task in tasks]
    for task, state in zip(tasks, states, strict=True):
        assert (state["status"], state["error"]) == ("COMPLETE", None), state
        raw, cleaned = state["results"]["raw_transcript"], state["results"]["clean_transcript"]
        assert wrong_words(raw or reference_text(MEMO), cleaned) <= 0.05, state  # the double cleans nothing
        assert stack.redis().hget(f"maie:task:{task}", "commits") == "1"
    wait_for(lambda: not stack.uploads(), 60, "the end of the uploads")
    return states


def in_order(states: list[dict[str, Any]]) -> bool:
    ended = [state["completed_at"] for state in states]
    return ended == sorted(ended)


def is_memo(state: dict[str, Any]) -> bool:
    return wrong_words(reference_text(MEMO), state["results"]["raw_transcript"]) <= 0.05


def test_tasks_that_wait_together_share_one_start_of_the_server(
    make_swapping: Callable[..., Swapping], speech: Speech
) -> None:
    """And it costs no attempt."""
    stack, units = make_swapping(task_attempts=1)
    stack.start("api", "worker")
    first = clean(stack, speech(30))
    alone = stack.accept(MEMO.read_bytes())
    text = stack.accept_text(reference_text(MEMO))
    others = [clean(stack), clean(stack, speech(5))]
    wait_for(lambda: is_parked(stack, first), 60, "the first task to wait", 0.02)
    assert stack.wait_final(alone)["status"] == "COMPLETE"
    states = ends(stack, first, text, *others)
    wait_for(lambda: units.events == ["start", "stop"], 60, "the server's end, with nothing left for it")
    assert in_order(states)
    assert {state["attempt"] for state in states} == {1}
    assert [is_memo(state) for state in (states[0], *states[2:])] == [False, True, False]
    assert all(state["started_at"] < other["completed_at"] for state in states for other in states)
    wait_for(lambda: httpx.get(f"{stack.url}/ready").status_code == 200, 60, "readiness")


def test_audio_that_comes_while_the_server_runs_waits_behind(swapping: Swapping, speech: Speech) -> None:
    """And text, which needs nothing but the server, takes its turn while it runs."""
    stack, units = swapping
    early = [clean(stack, speech(20)), clean(stack)]
    wait_for(lambda: (units.folder / "llm-wanted").exists(), 60, "the server to be wanted", 0.02)
    text = stack.accept_text(reference_text(MEMO))
    late = clean(stack)
    assert in_order(ends(stack, *early, text, late))
    assert not stack.redis().hexists(f"maie:task:{text}", "parked")
    wait_for(lambda: units.events == ["start", "stop"] * 2, 60, "the server's end")


def test_a_task_that_waits_can_be_cancelled(swapping: Swapping, speech: Speech) -> None:
    stack, units = swapping
    tasks = [clean(stack, speech(20)), clean(stack), clean(stack, speech(30))]
    wait_for(lambda: is_parked(stack, tasks[1]), 60, "the second task to wait", 0.02)
    with stack.client() as client:
        assert client.delete(f"/v1/tasks/{tasks[1]}").status_code == 204
        assert client.get(f"/v1/status/{tasks[1]}").status_code == 404
    ends(stack, tasks[0], tasks[2])
    assert units.events.count("start") == 1


def test_what_waits_outlives_redis_and_the_loss_of_its_transcript(swapping: Swapping, speech: Speech) -> None:
    stack, _ = swapping
    tasks = [clean(stack), clean(stack, speech(40)), clean(stack)]
    wait_for(lambda: is_parked(stack, tasks[0]), 60, "the first task to wait", 0.02)
    stack.restart_redis()
    (stack.data / "uploads" / tasks[0] / "recognised.json").unlink()
    states = ends(stack, *tasks)
    assert [is_memo(state) for state in states] == [True, False, True]


@pytest.mark.parametrize("point", dying_worker.POINTS)
def test_a_kill_while_a_task_is_parked_loses_nothing(
    make_swapping: Callable[..., Swapping], speech: Speech, point: str
) -> None:
    stack, units = make_swapping(**SOON)
    start_dying(stack, units, point)
    tasks = [clean(stack, speech(20)), clean(stack)]
    states = ends(stack, *tasks)
    assert (units.folder / "happened").exists()
    assert sum(state["attempt"] for state in states) == (2 if point == dying_worker.AFTER else 3)
    assert [is_memo(state) for state in states] == [False, True]
    assert "clash" not in units.events
    wait_for(lambda: not stack.redis().zcard("rq:wip:maie"), 60, "RQ to hold nothing")


@pytest.mark.parametrize("attempts", [3, 1])
def test_a_kill_while_the_server_runs_costs_no_second_recognition(
    make_swapping: Callable[..., Swapping], attempts: int
) -> None:
    """The audio is spoilt after the first; with no attempt left, the transcript is the result."""
    stack, units = make_swapping(start_seconds=1.0, task_attempts=attempts, **SOON)
    stack.start("api", "worker")
    task = clean(stack)
    upload = stack.data / "uploads" / task
    wait_for(lambda: (upload / "recognised.json").exists(), 60, "the transcript", 0.01)
    (upload / "audio").write_bytes(b"no audio")
    wait_for(lambda: (units.folder / "llm-wanted").exists(), 60, "the server to be wanted", 0.01)
    stack.unit("worker").process.kill()
    state = stack.wait_final(task)
    assert (state["status"], state["attempt"], is_memo(state)) == ("COMPLETE", 2, True)
    assert bool(state["results"]["clean_transcript"]) is (attempts > 1)
    lost = "The clean transcript is missing: The worker was lost while it worked on the task"
    assert state["warnings"] == ([] if attempts > 1 else [lost])


def start_dying(stack: Stack, units: Units, point: str) -> None:
    """Start the API, and a worker that dies at ``point`` once, again and again."""
    command = [sys.executable, str(Path(dying_worker.__file__)), point, str(units.folder / "happened")]
    stack.start("api")
    stack.units.append(Unit(lambda: Process(command, stack.env, stack.folder / "worker.log")))
    wait_for(lambda: stack.redis().keys("maie:worker:*"), 60, "the worker")
