"""The time limit of a task follows from the audio itself; what its header claims can neither stretch nor shorten it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from maie.domain import Progress, TaskOptions, TaskStatus
from maie.errors import TaskTimeout
from maie.pipeline import table
from maie.settings import Settings
from maie.tasks.limits import DECODE_FACTOR
from maie.tasks.model import Task, Upload
from maie.worker import watch as watching
from maie.worker.watch import Watch
from support.audiofiles import MODEL

HOURS = 3 * 3600.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    return clock


def watch(claimed: float | None, features: tuple[str, ...] = ("raw_transcript",)) -> Watch:
    """A watch over a task whose header claims so many seconds: 60 s at least, 10 per second, 1 per word."""
    limits = {"task_timeout_floor": 60, "task_timeout_factor": 10, "llm_task_timeout_factor": 1}
    settings = Settings(profile="embedded", asr_model=MODEL, **limits)
    task = Task("a", TaskStatus.PENDING, 1, TaskOptions(features), Upload("a.wav", 1, claimed), "key", "now")
    store = SimpleNamespace(progress=lambda *_: "current")
    worker = SimpleNamespace(alive=lambda: None, beat=lambda: None, lease=lambda _: None)
    return Watch(task, cast(Any, SimpleNamespace(store=store)), cast(Any, worker), settings)


def seconds_until_timeout(watched: Watch, clock: SimpleNamespace, start: float) -> float:
    while True:
        try:
            watched.tick(None)
        except TaskTimeout:
            return float(clock.now - start)
        clock.now += 1


@pytest.mark.parametrize(
    ("claimed", "real", "limit"),
    [(30.0, 30.0, 300), (HOURS, 1.0, 60), (1.0, 600.0, 6000), (None, 30.0, 300), (-5.0, 30.0, 300)],
)
def test_the_decoded_length_decides(claimed: float | None, real: float, limit: float, clock: SimpleNamespace) -> None:
    watched, start = watch(claimed), clock.now
    clock.now += 10
    watched.tick(Progress(table.DECODE, 1.0, real))
    assert seconds_until_timeout(watched, clock, start) == limit + 1


@pytest.mark.parametrize("claimed", [HOURS, None])
def test_a_decoder_that_hangs_has_not_all_the_time_that_the_header_claims(
    claimed: float | None, clock: SimpleNamespace
) -> None:
    assert seconds_until_timeout(watch(claimed), clock, clock.now) == DECODE_FACTOR * HOURS + 1


def test_the_language_model_gets_its_time_by_the_decoded_length_too(clock: SimpleNamespace) -> None:
    watched = watch(1.0, ("clean_transcript",))
    watched.tick(Progress(table.DECODE, 1.0, 600.0))
    clock.now += 100
    watched.tick(Progress(table.CLEAN, 0.0))
    assert seconds_until_timeout(watched, clock, clock.now) == 3 * 600 + 1


def test_waiting_for_room_on_the_disk_counts_for_no_limit(clock: SimpleNamespace) -> None:
    watched = watch(30.0)
    clock.now += 50
    watched.wait(1000)
    assert clock.now == 2050
    assert seconds_until_timeout(watched, clock, clock.now) == 61
