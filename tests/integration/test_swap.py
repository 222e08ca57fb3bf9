"""Speech engine and language model's server in turns, with a real worker; what systemd does is a double."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from maie.engine import Engine, server_unit
from maie.engine.server_unit import ServerUnit, is_free, take_lease
from maie.errors import EngineFailed
from maie.settings import Settings
from support.audiofiles import MEMO, MODEL
from support.processes import wait_for
from support.stack import Stack, engines
from support.swapping import Swapping

ASKED = {"features": ["raw_transcript", "clean_transcript", "summary"], "template_id": "generic_summary_v1"}


@pytest.fixture
def swapping(make_swapping: Callable[..., Swapping]) -> Swapping:
    swapping = make_swapping()
    swapping[0].start("api", "worker")
    return swapping


def result_of(stack: Stack, **fields: object) -> dict[str, object]:
    answer = stack.post(MEMO.read_bytes(), **ASKED, **fields)
    assert answer.status_code == 202, answer.text
    return stack.wait_final(answer.json()["task_id"])


def test_they_take_turns_and_the_engine_is_back_afterwards(swapping: Swapping) -> None:
    stack, units = swapping
    for _ in range(2):
        task = result_of(stack)
        assert task["status"] == "COMPLETE", task
        assert task["results"]["clean_transcript"]  # type: ignore[index]
        assert task["results"]["summary"]  # type: ignore[index]
        assert {"decode", "vad", "asr", "clean", "summary"} <= set(task["metrics"]["stage_seconds"])  # type: ignore[index]
        assert {"asr_model", "llm"} <= set(task["versions"])  # type: ignore[call-overload]
    wait_for(lambda: engines(stack) == 1, 60, "the engine")
    assert units.events == ["start", "stop", "start", "stop"]


def test_a_task_without_language_model_swaps_nothing(swapping: Swapping) -> None:
    stack, units = swapping
    assert stack.wait_final(stack.accept(MEMO.read_bytes()))["status"] == "COMPLETE"
    assert units.events == []


def test_a_server_that_is_about_to_start_is_stopped_too(tmp_path: Path) -> None:
    """Its unit has not taken the lease yet; root's unit is what ends it, and then the wish is gone."""
    (tmp_path / "llm-wanted").touch()
    seen: list[bool] = []

    def tick() -> None:
        seen.append((tmp_path / "llm-unwanted").exists())
        (tmp_path / "llm-unwanted").unlink()

    ServerUnit(Settings(profile="embedded", asr_model=MODEL, run_dir=tmp_path)).stop(tick)
    assert seen == [True]
    assert not (tmp_path / "llm-wanted").exists()


def test_where_nobody_takes_up_the_wish_nobody_is_waited_for(tmp_path: Path) -> None:
    """As when the whole service is stopped: root's path units end before the worker does."""
    (tmp_path / "llm-wanted").touch()
    begun = time.monotonic()
    ServerUnit(Settings(profile="embedded", asr_model=MODEL, run_dir=tmp_path)).stop(lambda: None)
    assert time.monotonic() - begun < 10
    assert not list(tmp_path.glob("llm-*"))


def test_the_service_is_ready_whoever_has_the_turn(swapping: Swapping) -> None:
    stack, units = swapping
    answers = [httpx.get(f"{stack.url}/ready")]
    task_id = stack.post(MEMO.read_bytes(), **ASKED).json()["task_id"]
    while stack.status(task_id)["status"] not in ("COMPLETE", "FAILED"):
        answers.append(httpx.get(f"{stack.url}/ready"))
    assert "start" in units.events
    assert [answer.json() for answer in answers if answer.status_code != 200] == []


def test_a_server_that_does_not_come_costs_no_transcript(swapping: Swapping) -> None:
    stack, units = swapping
    (units.folder / "broken").touch()
    task = result_of(stack)
    assert task["status"] == "COMPLETE"
    assert task["results"]["raw_transcript"]  # type: ignore[index]
    assert task["warnings"]
    (units.folder / "broken").unlink()
    assert result_of(stack)["results"]["summary"]  # type: ignore[index]


def test_a_server_that_a_killed_worker_left_is_stopped_first(swapping: Swapping) -> None:
    stack, units = swapping
    answer = stack.post(MEMO.read_bytes(), **ASKED)
    wait_for(lambda: "start" in units.events, 60, "the server's start", 0.01)
    stack.unit("worker").process.kill()
    task = stack.wait_final(answer.json()["task_id"])
    assert task["status"] == "COMPLETE"
    assert "clash" not in units.events
    wait_for(lambda: units.events[-1] == "stop", 60, "the server's end")


@pytest.fixture
def left_of_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The processes of the server's unit, as its control group tells them: one that outlives the first one."""
    monkeypatch.setattr(server_unit, "_groups", lambda: [tmp_path])
    processes = tmp_path / "cgroup.procs"
    processes.write_text(f"{os.getpid()}\n")
    return processes


def test_a_process_that_the_server_left_still_has_the_gpu(tmp_path: Path, left_of_server: Path) -> None:
    """Nobody holds the lock any more, but the memory is not back yet."""
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.append(take_lease(tmp_path)), daemon=True)
    taker.start()
    taker.join(1.5)
    assert (taken, is_free(tmp_path)) == ([], False)
    left_of_server.write_text("")
    taker.join(5)
    assert taken
    os.close(taken[0])
    assert is_free(tmp_path)


def test_the_next_server_may_have_the_gpu_before_whoever_waits_for_what_is_left(
    tmp_path: Path, left_of_server: Path
) -> None:
    """Its start script waits for the lock, and is a process of the unit itself."""
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.append(take_lease(tmp_path)), daemon=True)
    taker.start()
    descriptor = os.open(tmp_path / "gpu.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    left_of_server.write_text("")
    taker.join(1)
    assert taken == []
    os.close(descriptor)
    taker.join(5)
    os.close(taken[0])


def test_a_server_is_stopped_when_its_last_process_is_gone(tmp_path: Path, left_of_server: Path) -> None:
    begun = time.monotonic()

    def tick() -> None:
        (tmp_path / "llm-unwanted").unlink(missing_ok=True)
        if time.monotonic() - begun > 1:
            left_of_server.write_text("")

    ServerUnit(Settings(profile="embedded", asr_model=MODEL, run_dir=tmp_path)).stop(tick)
    assert time.monotonic() - begun > 1


def test_a_start_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, llm_backend="openai", run_dir=tmp_path,
                        llm_url="http://127.0.0.1:9/v1", llm_start_seconds=60)  # fmt: skip
    (tmp_path / "llm-failed").write_text("exit-code exited 2\n" * 2)  # of earlier starts, which count for nothing

    def tick() -> None:
        if (tmp_path / "llm-wanted").exists():
            assert seen or not (tmp_path / "llm-failed").exists()
            seen.append(True)
            (tmp_path / "llm-failed").write_text("exit-code exited 1\n" * len(seen))

    seen: list[bool] = []
    begun = time.monotonic()
    ServerUnit(settings).start(tick)
    assert len(seen) >= 2
    assert time.monotonic() - begun < 30


def test_whoever_waits_for_a_silent_server_shows_life(tmp_path: Path) -> None:
    """An answer may take longer than the lease of a worker that shows none."""
    times = [time.monotonic()]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(
            profile="embedded", asr_model=MODEL, llm_backend="openai", run_dir=tmp_path, llm_start_seconds=0.1,
            llm_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", llm_timeout_seconds=2,
        )  # fmt: skip
        ServerUnit(settings).start(lambda: times.append(time.monotonic()))
    assert times[-1] - times[0] > 2
    assert max(after - before for before, after in pairwise(times)) < 1


def test_no_engine_loads_while_another_has_the_gpu(tmp_path: Path) -> None:
    """And while it lives, nobody else gets it; its end gives it back, whatever the end was."""
    settings = Settings(profile="embedded", asr_model=MODEL, llm_residency="swap", run_dir=tmp_path)
    engine = Engine(settings)
    other = take_lease(tmp_path)
    with pytest.raises(EngineFailed):
        Engine(settings.model_copy(update={"engine_start_seconds": 3})).start()
    os.close(other)
    try:
        engine.start()
        assert not is_free(tmp_path)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        wait_for(lambda: is_free(tmp_path), 60, "the end of the lease")
    finally:
        engine.stop()
