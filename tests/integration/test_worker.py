"""Real workers with a real engine: what becomes of a task when something in its way ends, hangs or goes away."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import Unit, rss, wait_for
from support.stack import Stack

Speech = Callable[[float], bytes]


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    stack = make_stack(lease_seconds=4, sweep_seconds=1, max_audio_seconds=3600, engine_stall_seconds=5)
    stack.start("api", "worker")
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def long_audio(stack: Stack, speech: Speech) -> bytes:
    """Speech that takes this machine about three seconds."""
    return speech(seconds_for(stack, speech, 3.0))


@pytest.fixture(scope="module")
def hour(speech: Speech) -> bytes:
    """Speech that is long enough to be found in each stage."""
    return speech(3500)


def seconds_for(stack: Stack, speech: Speech, work_seconds: float) -> float:
    """Seconds of speech that take about ``work_seconds`` to recognise here, or more.

    What one sample tells is too slow by far where another process has the processors just then, or where the sample is
    decoded again: speech of that length would be done before anything can happen to it.
    """
    rtf = min(stack.wait_final(stack.accept(speech(20)))["metrics"]["rtf"] for _ in range(2))
    return float(min(1200, max(60, work_seconds / rtf)))


def running(stack: Stack, task_id: str, attempt: int = 1) -> dict[str, Any]:
    def is_running() -> dict[str, Any] | None:
        state = stack.status(task_id)
        return state if state["status"].startswith("P") and state["status"] != "PENDING" else None

    state = dict(wait_for(is_running, 60, "start of the task", 0.02))
    assert state["attempt"] == attempt
    return state


def idle(stack: Stack) -> bool:
    """Whether no worker's lease names a task."""
    leases = [json.loads(stack.redis().get(key) or "{}") for key in stack.redis().keys("maie:worker:*")]
    return not any(lease.get("task") for lease in leases)


def kill_engine(stack: Stack) -> None:
    """SIGKILL for the engine process: the worker's biggest child."""
    os.kill(max(stack.unit("worker").process.children(), key=rss), signal.SIGKILL)


def stop_engine(stack: Stack) -> None:
    """SIGSTOP for the engine process."""
    os.kill(max(stack.unit("worker").process.children(), key=rss), signal.SIGSTOP)


def commits(stack: Stack, task_id: str) -> str:
    return str(stack.redis().hget(f"maie:task:{task_id}", "commits"))


def assert_done(stack: Stack, task_id: str, attempt: int, seconds: float = 60) -> None:
    state = stack.wait_final(task_id, seconds)
    assert (state["status"], state["attempt"], state["error"]) == ("COMPLETE", attempt, None)
    assert commits(stack, task_id) == "1"
    assert state["metrics"]["rtf"] > 0
    wait_for(lambda: not (stack.data / "uploads" / task_id).exists(), 60, "removal of the upload")


def test_a_task_goes_through_its_states(stack: Stack, long_audio: bytes) -> None:
    task_id = stack.accept(long_audio)
    seen = []
    while (state := stack.status(task_id))["status"] not in ("COMPLETE", "FAILED"):
        if (state["status"], state["stage"]) not in seen:
            seen.append((state["status"], state["stage"]))
        time.sleep(0.02)
    assert_done(stack, task_id, 1)
    assert seen[-1] == ("PROCESSING_ASR", "asr")
    assert state["started_at"] > state["submitted_at"]
    assert state["completed_at"] > state["started_at"]
    lines = [line for line in stack.log("worker") if line.get("task_id") == task_id]
    assert [line["event"] for line in lines][:1] == ["attempt begins"]
    assert "task ended" in [line["event"] for line in lines]


@pytest.mark.parametrize("down_seconds", [0.0, 7.0], ids=["restarted at once", "away until the work is done"])
def test_redis_killed_in_the_middle_of_a_task(stack: Stack, long_audio: bytes, down_seconds: float) -> None:
    task_id = stack.accept(long_audio)
    waiting = stack.accept(long_audio)
    running(stack, task_id)
    stack.redis_unit.kill()
    refused = stack.post(b"x")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["code"] == "unavailable"
    assert httpx.get(f"{stack.url}/health").status_code == 200
    assert httpx.get(f"{stack.url}/ready").json()["parts"]["redis"] == "down"
    assert "maie_redis_up 0.0" in httpx.get(f"{stack.url}/metrics").text
    stack.restart_redis(down_seconds)
    for one in (task_id, waiting):
        state = stack.wait_final(one)
        assert state["status"] == "COMPLETE"
        assert commits(stack, one) == "1"
    assert stack.status(task_id)["attempt"] == 1, "the result that was worked out was thrown away"


def test_the_engine_killed_in_the_middle_of_a_task_costs_one_attempt(stack: Stack, long_audio: bytes) -> None:
    worker = stack.unit("worker").process.popen.pid
    task_id = stack.accept(long_audio)
    running(stack, task_id)
    kill_engine(stack)
    assert_done(stack, task_id, 2)
    assert stack.unit("worker").process.popen.pid == worker


def test_the_engine_hung_in_the_middle_of_a_task_costs_one_attempt(stack: Stack, long_audio: bytes) -> None:
    task_id = stack.accept(long_audio)
    wait_for(lambda: stack.status(task_id)["stage"] == "asr", 60, "recognition", 0.02)
    stop_engine(stack)
    assert_done(stack, task_id, 2)


def test_audio_that_ends_every_engine_fails_in_the_end(stack: Stack, long_audio: bytes) -> None:
    task_id = stack.accept(long_audio)
    for attempt in (1, 2, 3):
        wait_for(lambda attempt=attempt: stack.status(task_id)["attempt"] == attempt, 60, f"attempt {attempt}", 0.02)
        running(stack, task_id, attempt)
        wait_for(lambda: stack.status(task_id)["stage"] == "asr", 60, "recognition", 0.02)
        kill_engine(stack)
    state = stack.wait_final(task_id)
    assert (state["status"], state["error"]["code"]) == ("FAILED", "engine_failed")
    assert commits(stack, task_id) == "1"
    wait_for(lambda: httpx.get(f"{stack.url}/ready").status_code == 200, 60, "a new engine")


def test_a_cancelled_task_ends_within_two_seconds_and_leaves_nothing(stack: Stack, long_audio: bytes) -> None:
    task_id = stack.accept(long_audio)
    running(stack, task_id)
    started = time.monotonic()
    with stack.client() as client:
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
        assert time.monotonic() - started < 2
        assert client.get(f"/v1/status/{task_id}").status_code == 404
    assert not list(stack.data.rglob(f"*{task_id}*"))
    assert not [key for key in stack.redis().keys("*") if task_id in key]
    assert_done(stack, stack.accept(long_audio), 1)


@pytest.mark.parametrize("stage", ["decode", "vad", "asr"])
def test_every_stage_is_cancelled_within_two_seconds(stack: Stack, long_audio: bytes, hour: bytes, stage: str) -> None:
    task_id = stack.accept(long_audio if stage == "asr" else hour)
    wait_for(lambda: stack.status(task_id)["stage"] == stage, 60, stage, 0.02)
    time.sleep(0.3)  # into the stage, where the engine is inside of a long call
    assert stack.status(task_id)["stage"] == stage
    started = time.monotonic()
    with stack.client() as client:
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
    wait_for(lambda: idle(stack), 60, "a worker that is free", 0.02)
    assert time.monotonic() - started < 2
    wait_for(lambda: httpx.get(f"{stack.url}/ready").status_code == 200, 60, "a new engine")


def test_a_waiting_task_is_cancelled_too(stack: Stack, long_audio: bytes) -> None:
    first, second = stack.accept(long_audio), stack.accept(long_audio)
    with stack.client() as client:
        assert client.delete(f"/v1/tasks/{second}").status_code == 204
    assert_done(stack, first, 1)
    assert not [key for key in stack.redis().keys("*") if second in key]


def test_sigterm_lets_the_running_task_finish(stack: Stack, long_audio: bytes) -> None:
    unit = stack.unit("worker")
    before = unit.starts
    task_id, waiting = stack.accept(long_audio), stack.accept(long_audio)
    running(stack, task_id)
    ended = unit.process
    os.kill(ended.popen.pid, signal.SIGTERM)
    assert_done(stack, task_id, 1)
    assert ended.popen.wait(10) == 0
    assert_done(stack, waiting, 1)
    assert unit.starts == before + 1


def test_a_service_manager_that_does_not_listen_costs_no_task(
    own_stack: Callable[..., Stack], long_audio: bytes, tmp_path: Path
) -> None:
    """As where a container is killed: its first process, which is the manager, ends before the others do."""
    stack = own_stack()
    stack.env["NOTIFY_SOCKET"] = str(tmp_path / "nobody")
    stack.start("api", "worker")
    assert_done(stack, stack.accept(long_audio), attempt=1)


def test_a_hung_worker_is_taken_for_lost_and_its_late_result_is_refused(stack: Stack, long_audio: bytes) -> None:
    unit = stack.unit("worker")
    task_id = stack.accept(long_audio)
    running(stack, task_id)
    os.killpg(unit.process.popen.pid, signal.SIGSTOP)
    second = Unit(lambda: stack.maie("worker"))
    try:
        assert_done(stack, task_id, 2)
    finally:
        os.killpg(unit.process.popen.pid, signal.SIGCONT)
        second.stop()
    wait_for(lambda: httpx.get(f"{stack.url}/ready").status_code == 200, 60, "the first worker")
    assert commits(stack, task_id) == "1"
    assert_done(stack, stack.accept(long_audio), 1)


def test_work_beyond_its_time_limit_is_ended(own_stack: Callable[..., Stack], long_audio: bytes) -> None:
    stack = own_stack(task_timeout_floor=1, task_timeout_factor=0.001)
    stack.start("api", "worker")
    task_id = stack.accept(long_audio)
    state = stack.wait_final(task_id)
    assert (state["status"], state["error"]["code"], state["attempt"]) == ("FAILED", "timeout", 1)
    wait_for(lambda: httpx.get(f"{stack.url}/ready").status_code == 200, 60, "a new engine")


def test_an_old_worker_does_not_answer_for_a_new_release(stack: Stack, tmp_path: Path) -> None:
    new = stack.maie("api", release="next", port=stack.port + 1)
    try:
        url = f"http://127.0.0.1:{stack.port + 1}/ready"

        def answer() -> httpx.Response | None:
            try:
                return httpx.get(url)
            except httpx.HTTPError:
                return None

        ready = wait_for(answer, 60, "the new API")
        assert ready.status_code == 503
        assert ready.json()["parts"] == {
            "redis": "up",
            "worker": "down",
            "engine": "down",
            "llm": "unused",
            "disk": "up",
        }
    finally:
        new.kill()
