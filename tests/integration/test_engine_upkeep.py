"""The engine process gives memory back: after idle time, after much work, when it has grown, when there is none."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.engine.upkeep import MIB, Due, Upkeep
from maie.settings import Settings
from support.audiofiles import MODEL, SAMPLE, sample, write_wav
from support.processes import wait_for
from support.stack import Stack, engines

JOB = EngineJob("task", SAMPLE, TaskOptions())


def ignore(_: Progress | None) -> None:
    """A tick that lets everything go on."""


def settings(**changed: float) -> Settings:
    return Settings(profile="embedded", asr_model=MODEL, asr_threads=1, **changed)


@pytest.mark.parametrize(
    ("changed", "tasks", "grown", "due"),
    [
        ({}, 1, 0, None),
        ({"engine_recycle_tasks": 2}, 1, 0, None),
        ({"engine_recycle_tasks": 2}, 2, 0, Due.TASKS),
        ({"engine_recycle_mb": 100}, 1, 99, None),
        ({"engine_recycle_mb": 100}, 1, 101, Due.GROWTH),
        ({"engine_recycle_mb": 0}, 1, 5000, None),
        ({"engine_idle_seconds": 1000}, 1, 0, None),
        ({"engine_idle_seconds": 0.000001}, 1, 0, Due.IDLE),
    ],
)
def test_when_a_process_ends(
    changed: dict[str, float], tasks: int, grown: int, due: Due | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maie.engine.upkeep.resident", lambda _: 300 * MIB)
    upkeep = Upkeep(settings(**changed), 1)
    for _ in range(tasks):
        upkeep.worked()
    monkeypatch.setattr("maie.engine.upkeep.resident", lambda _: (300 + grown) * MIB)
    assert upkeep.due() is due


def test_a_process_that_has_done_its_number_is_replaced() -> None:
    engine = Engine(settings(engine_recycle_tasks=2))
    try:
        pids = []
        for _ in range(3):
            assert isinstance(engine.run(JOB, ignore), TaskResult)
            pids.append(engine.pid)
            engine.tend()
        assert pids[0] == pids[1] != pids[2]
        assert not engine.asleep
    finally:
        engine.stop()


def test_for_want_of_memory_once_more_with_half_as_much(tmp_path: Path) -> None:
    """The limit holds for the first process only; the next one works with less, and the one after that with all."""
    path = write_wav(tmp_path / "speech.wav", sample())
    engine = Engine(settings(asr_batch_size=4))
    seen: list[int] = []

    def tick(progress: Progress | None) -> None:
        if progress is not None and engine.pid not in seen and engine.pid is not None:
            seen.append(engine.pid)

    try:
        engine.start()
        assert engine.pid is not None
        pages = int(Path(f"/proc/{engine.pid}/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + MIB
        resource.prlimit(engine.pid, resource.RLIMIT_AS, (room, room))
        result = engine.run(EngineJob("task", path, TaskOptions()), tick)
        assert result.transcript is not None
        assert result.transcript.segments
        assert len(seen) == 2
        small = engine.pid
        engine.tend()
        engine.run(JOB, ignore)
        assert engine.pid != small
    finally:
        engine.stop()


def test_memory_without_work_is_given_back_and_the_service_stays_ready(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(engine_idle_seconds=1, lease_seconds=3)
    stack.start("api", "worker")
    wait_for(lambda: engines(stack) == 0, 60, "the end of the idle engine")
    assert httpx.get(f"{stack.url}/ready").status_code == 200
    assert stack.wait_final(stack.accept(SAMPLE.read_bytes()))["status"] == "COMPLETE"
    wait_for(lambda: engines(stack) == 0, 60, "the end of the engine after the task")
    assert httpx.get(f"{stack.url}/ready").json()["parts"]["engine"] == "up"
