"""What a task comes to when its language model's server, or the engine process that waits for it, fails in any way.

The transcript is always kept, the task ends soon, and the worker takes the next one. The time limits are short.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.llm_server import LlmServer
from support.processes import rss, wait_for
from support.stack import Speech, Stack

ANSWER_SECONDS = 2.0
TASK_SECONDS = 5.0
FAULTS = ["slow", "error", "garbage", "wrong_shape", "endless", "trickle", "dies", "cut", "refused"]


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack], server: LlmServer) -> Iterator[Stack]:
    stack = make_stack(
        llm_backend="openai",
        llm_url=server.url,
        llm_timeout_seconds=ANSWER_SECONDS,
        task_timeout_floor=TASK_SECONDS,
        task_timeout_factor=60,
        llm_task_timeout_factor=0.01,
        task_attempts=1,
        lease_seconds=4,
    )
    stack.start("api", "worker")
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def audio(speech: Speech) -> bytes:
    return speech(4)


def finish(stack: Stack, audio: bytes, required: bool = False) -> dict[str, Any]:
    asked = {"features": "raw_transcript,clean_transcript", "llm_required": str(required)}
    return stack.wait_final(stack.accept(audio, **asked))


def assert_kept(stack: Stack, task: dict[str, Any], required: bool) -> None:
    """The transcript is there, in the status and as a file, and the task says what is missing."""
    assert task["status"] == ("FAILED" if required else "COMPLETE"), task
    assert task["results"]["raw_transcript"]
    assert task["results"]["clean_transcript"] is None
    (warning,) = task["warnings"]
    assert warning.startswith("The clean transcript is missing: ")
    assert bool(task["error"]) == required
    with stack.client() as client:
        text = client.get(f"/v1/tasks/{task['task_id']}/transcript.txt")
    assert (text.status_code, " ".join(text.text.split())) == (200, task["results"]["raw_transcript"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_costs_no_transcript(stack: Stack, server: LlmServer, audio: bytes, fault: Any) -> None:
    for required in (False, True):
        server.behaviours, before = [fault], len(server.chats)
        task = finish(stack, audio, required)
        server.behaviours = ["ok"]
        if fault == "cut":  # an answer that is cut off is one that can't be trusted: the lines stay as they are
            assert task["status"] == "COMPLETE"
            continue
        assert_kept(stack, task, required)
        assert 1 <= len(server.chats) - before <= 3
        assert task["metrics"]["stage_seconds"]["clean"] < ANSWER_SECONDS + 1.5
        if required:
            assert task["error"]["code"] in ("llm_unavailable", "llm_timeout", "llm_answer_invalid")
    assert finish(stack, audio)["warnings"] == []


def at_work_on_clean(stack: Stack, server: LlmServer, audio: bytes) -> tuple[str, int]:
    """Return a task whose engine process, returned too, waits for the server."""
    server.behaviours = ["slow"]
    task_id = stack.accept(audio, features="clean_transcript")
    wait_for(lambda: stack.status(task_id)["stage"] == "clean", 60, "the stage", 0.02)
    server.behaviours = ["ok"]
    return task_id, max(stack.unit("worker").process.children(), key=rss)


def test_an_engine_that_hangs_is_ended_at_the_time_limit_and_what_it_had_is_kept(
    stack: Stack, server: LlmServer, audio: bytes
) -> None:
    task_id, engine = at_work_on_clean(stack, server, audio)
    os.kill(engine, signal.SIGSTOP)
    began = time.monotonic()
    task = stack.wait_final(task_id)
    assert time.monotonic() - began < TASK_SECONDS + 3
    assert_kept(stack, task, required=False)
    assert "longer than its limit of 5 seconds" in task["warnings"][0]
    assert not Path(f"/proc/{engine}").exists()
    assert finish(stack, audio)["warnings"] == []


def test_an_engine_that_dies_in_the_last_attempt_leaves_the_transcript(
    stack: Stack, server: LlmServer, audio: bytes
) -> None:
    task_id, engine = at_work_on_clean(stack, server, audio)
    os.kill(engine, signal.SIGKILL)
    assert_kept(stack, stack.wait_final(task_id), required=False)
    assert finish(stack, audio)["warnings"] == []


def test_a_server_that_is_down_is_seen_and_costs_no_transcript(stack: Stack, server: LlmServer, audio: bytes) -> None:
    def llm() -> str:
        return str(httpx.get(f"{stack.url}/ready").json()["parts"]["llm"])

    wait_for(lambda: llm() == "up", 60, "the server to be seen")
    server.stop()
    for required in (False, True):
        assert_kept(stack, finish(stack, audio, required), required)
    wait_for(lambda: llm() == "down", 60, "the server to be missed")
    assert httpx.get(f"{stack.url}/ready").status_code == 503
    with stack.client() as client:
        assert client.get("/v1/models").json()["models"][1]["engine"] == "openai"
