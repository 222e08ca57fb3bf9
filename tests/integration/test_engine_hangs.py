"""An engine process that hangs is ended long before its job's time limit; one that only takes its time is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.errors import EngineFailed
from maie.pipeline import table
from maie.settings import Settings
from support.audiofiles import MODEL, SAMPLE, sample, write_wav
from support.llm_server import LlmServer
from support.processes import is_running

STALL_SECONDS = 3.0
"""The shortest time after which a process may count as hung."""

MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    made: list[Engine] = []

    def make(**settings: Any) -> Engine:
        given = {"asr_model": MODEL, "asr_threads": 1, "engine_stall_seconds": STALL_SECONDS, **settings}
        made.append(Engine(Settings(profile="embedded", **given)))
        made[-1].start()
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


@pytest.fixture(scope="module")
def one_batch(tmp_path_factory: pytest.TempPathFactory) -> EngineJob:
    """Speech that is decoded together, which takes more than the time after which a silent process hangs."""
    samples = np.resize(sample(), 240 * 16_000)
    return EngineJob("batch", write_wav(tmp_path_factory.mktemp("batch") / "audio", samples), TaskOptions())


def test_a_process_that_hangs_is_ended_and_its_job_may_be_tried_again(
    make_engine: MakeEngine, one_batch: EngineJob
) -> None:
    engine = make_engine()
    pid = engine.pid
    assert pid is not None
    stopped: list[float] = []

    def stop(progress: Progress | None) -> None:
        if progress and progress.stage == table.ASR and not stopped:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(time.monotonic())
        assert not stopped or time.monotonic() - stopped[0] < 5 * STALL_SECONDS

    with pytest.raises(EngineFailed, match="stopped making progress") as raised:
        engine.run(one_batch, stop)
    assert STALL_SECONDS / 2 < time.monotonic() - stopped[0] < 2 * STALL_SECONDS
    assert raised.value.retryable
    assert not is_running(pid)
    assert isinstance(engine.run(EngineJob("next", SAMPLE, TaskOptions()), lambda _: None), TaskResult)


def test_a_process_that_works_long_at_something_does_not_hang(make_engine: MakeEngine, one_batch: EngineJob) -> None:
    """Its share of the processors is its sign of life: nothing else comes from it while one batch is decoded."""
    engine = make_engine(asr_batch_size=10, asr_beam_size=5)
    heard: list[float] = []
    engine.run(one_batch, lambda progress: heard.append(time.monotonic()) if progress else None)
    assert max(b - a for a, b in pairwise(heard)) > 1.5 * STALL_SECONDS


def test_a_process_that_waits_for_a_server_does_not_hang(make_engine: MakeEngine, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text('[{"speaker": null, "text": "We meet again on Monday."}]', encoding="utf-8")
    with LlmServer(behaviours=["slow"], slow_seconds=2 * STALL_SECONDS) as server:
        engine = make_engine(llm_backend="openai", llm_url=server.url)
        job = EngineJob("text", text, TaskOptions(("clean_transcript",)), "text")
        assert engine.run(job, lambda _: None).warnings == ()
