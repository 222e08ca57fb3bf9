"""The engine process and its supervisor, with the real model: work, progress, and every way in which it can end."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine, process
from maie.errors import ConfigurationError, EngineFailed, EngineOutOfMemory, NotAudio
from maie.pipeline import table
from maie.settings import Settings
from support.audiofiles import MODEL, SAMPLE, reference_text, sample, write_wav
from support.processes import is_running, wait_for
from support.word_errors import wrong_words

JOB = EngineJob("task", SAMPLE, TaskOptions())


class EnoughError(Exception):
    """Raised from a tick."""


def ignore(_: Progress | None) -> None:
    """A tick that lets everything go on."""


def when_recognising(action: Callable[[], None]) -> Callable[[Progress | None], None]:
    """A tick that acts once, when recognition has begun."""
    done = []

    def tick(progress: Progress | None) -> None:
        if progress and progress.stage == table.ASR and not done:
            done.append(True)
            action()

    return tick


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(profile="embedded", asr_model=MODEL, asr_threads=1)


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[Engine]:
    engine = Engine(settings)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def long_job(tmp_path_factory: pytest.TempPathFactory) -> EngineJob:
    """Ten minutes of speech: work enough to be interrupted in."""
    return job_of(600, tmp_path_factory.mktemp("long"))


def job_of(seconds: int, folder: Path) -> EngineJob:
    """So many seconds of speech to transcribe."""
    return EngineJob("long", write_wav(folder / "audio", np.resize(sample(), seconds * 16_000)), TaskOptions())


def test_the_sample_is_transcribed(engine: Engine) -> None:
    result = engine.run(JOB, ignore)
    assert wrong_words(reference_text(), result.transcript.text) <= 0.05
    assert result.transcript.language == "en"
    assert result.warnings == ()
    segments = result.transcript.segments
    assert all(s.start < s.end for s in segments)
    assert all(a.end <= b.start for a, b in pairwise(segments))


def test_what_a_result_says_of_itself(engine: Engine) -> None:
    result = engine.run(JOB, ignore)
    metrics = result.metrics
    seconds = len(sample()) / 16_000
    assert metrics["input_duration_seconds"] == pytest.approx(seconds, abs=0.01)
    assert metrics["rtf"] == pytest.approx(metrics["processing_time_seconds"] / seconds, rel=0.01)
    assert set(metrics["stage_seconds"]) == {"decode", "vad", "asr"}
    assert sum(metrics["stage_seconds"].values()) <= metrics["processing_time_seconds"]
    assert 0.3 < metrics["vad_coverage"] <= 1
    assert 0.5 < metrics["asr_confidence_avg"] <= 1
    assert set(result.versions) == {"pipeline", "faster_whisper", "ctranslate2", "asr_model"}
    assert result.versions["asr_model"]["name"] == MODEL.name
    assert len(result.versions["asr_model"]["sha256"]) == 64
    assert engine.versions == result.versions


def test_ticks_come_often_and_progress_goes_forward(engine: Engine, tmp_path: Path) -> None:
    times, seen = [time.monotonic()], []

    def tick(progress: Progress | None) -> None:
        times.append(time.monotonic())
        if progress:
            seen.append(progress)

    engine.run(job_of(200, tmp_path), tick)
    assert max(b - a for a, b in pairwise(times)) < 2
    order = [(table.STAGES.index(p.stage), p.fraction) for p in seen]
    assert order == sorted(order)
    assert [p.stage for p in seen if p.fraction == 1.0 and p.stage is not None][-1] == table.ASR
    assert len({p.fraction for p in seen if p.stage == table.ASR}) > 4


def test_a_stage_error_arrives_as_itself_and_the_process_stays(engine: Engine, tmp_path: Path) -> None:
    engine.start()
    before = engine.pid
    path = tmp_path / "audio"
    path.write_text("no audio")
    with pytest.raises(NotAudio):
        engine.run(EngineJob("task", path, TaskOptions()), ignore)
    assert engine.pid == before
    assert engine.ready
    engine.run(JOB, ignore)


def test_silence_gives_an_empty_transcript_and_a_warning(engine: Engine, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "audio", np.zeros(60 * 16_000, np.float32))
    result = engine.run(EngineJob("task", path, TaskOptions()), ignore)
    assert result.transcript.segments == ()
    assert result.metrics["vad_coverage"] == 0
    assert result.metrics["asr_confidence_avg"] is None
    assert "No speech" in result.warnings[0]


def test_what_a_tick_raises_ends_the_work_at_once(engine: Engine, long_job: EngineJob) -> None:
    engine.start()
    pid = engine.pid
    began = []

    def tick(progress: Progress | None) -> None:
        if progress and progress.stage == table.ASR:
            began.append(time.monotonic())
            raise EnoughError

    with pytest.raises(EnoughError):
        engine.run(long_job, tick)
    assert time.monotonic() - began[0] < 1.0
    assert pid is not None
    assert not is_running(pid)
    assert not engine.ready
    assert list(long_job.source.parent.iterdir()) == [long_job.source]
    assert isinstance(engine.run(JOB, ignore), TaskResult)
    assert engine.pid != pid


@pytest.fixture
def frugal(settings: Settings) -> Iterator[Engine]:
    """An engine that can't do with less: it works on one chunk at a time."""
    engine = Engine(settings.model_copy(update={"asr_batch_size": 1}))
    yield engine
    engine.stop()


def test_a_killed_process_is_an_engine_failure_and_is_replaced(engine: Engine, long_job: EngineJob) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None
    with pytest.raises(EngineFailed) as raised:
        engine.run(long_job, when_recognising(lambda: os.kill(pid, signal.SIGKILL)))
    assert raised.value.retryable
    assert not isinstance(raised.value, EngineOutOfMemory)
    assert isinstance(engine.run(JOB, ignore), TaskResult)


def test_a_process_that_dies_idle_is_replaced_unseen(engine: Engine) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not engine.ready, 60, "the end of the process")
    assert isinstance(engine.run(JOB, ignore), TaskResult)


def test_a_kill_by_the_kernel_for_lack_of_memory_is_named(
    frugal: Engine, long_job: EngineJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    frugal.start()
    pid = frugal.pid
    assert pid is not None
    counted = process._kernel_oom_kills()
    monkeypatch.setattr(process, "_kernel_oom_kills", lambda: counted + 1)
    with pytest.raises(EngineOutOfMemory):
        frugal.run(long_job, when_recognising(lambda: os.kill(pid, signal.SIGKILL)))


def test_memory_that_can_not_be_had_is_named_and_ends_the_process(frugal: Engine, long_job: EngineJob) -> None:
    frugal.start()
    pid = frugal.pid
    assert pid is not None

    def leave_no_room() -> None:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + 1024**2
        resource.prlimit(pid, resource.RLIMIT_AS, (room, room))

    leave_no_room()
    with pytest.raises(EngineOutOfMemory):
        frugal.run(long_job, ignore)
    assert not is_running(pid)
    assert isinstance(frugal.run(JOB, ignore), TaskResult)


def test_signals_that_end_a_service_do_not_end_the_work(engine: Engine) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None

    def signals() -> None:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)

    assert isinstance(engine.run(JOB, when_recognising(signals)), TaskResult)
    assert engine.pid == pid


def test_the_kernel_is_told_to_take_the_engine_first(engine: Engine) -> None:
    engine.start()
    assert int(Path(f"/proc/{engine.pid}/oom_score_adj").read_text()) == 500


def test_stop_ends_an_idle_process_without_force(settings: Settings) -> None:
    engine = Engine(settings)
    engine.start()
    pid = engine.pid
    assert pid is not None
    begun = time.monotonic()
    engine.stop()
    assert time.monotonic() - begun < 1.5
    assert not is_running(pid)
    assert not engine.ready


def test_a_model_that_is_not_there_fails_the_start(settings: Settings, tmp_path: Path) -> None:
    engine = Engine(settings.model_copy(update={"asr_model": tmp_path}))
    with pytest.raises(ConfigurationError, match="no model"):
        engine.start()
    assert engine.pid is None


def test_cuda_that_is_not_there_fails_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for a machine that has it
    engine = Engine(settings.model_copy(update={"asr_device": "cuda"}))
    with pytest.raises(ConfigurationError, match="CUDA"):
        engine.start()


def test_a_start_that_takes_too_long_is_ended(settings: Settings) -> None:
    # Far less than a new process needs, on any machine: models of this size are loaded within a tick.
    engine = Engine(settings.model_copy(update={"engine_start_seconds": 0.01}))
    begun = time.monotonic()
    with pytest.raises(EngineFailed, match="not ready in time"):
        engine.start()
    assert time.monotonic() - begun < 10
    assert engine.pid is None
