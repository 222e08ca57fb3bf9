"""What the engine process, and the whole service, cost beyond the recogniser itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audiofiles import MODEL, sample, write_wav
from maie.domain import EngineJob, Progress, TaskOptions
from maie.engine import Engine
from maie.settings import Settings
from stack import Figure, Stack

TRIALS = 5
MAX_RATIO = 1.25
SECONDS = 120


def direct_transcriber(settings: Settings) -> Callable[[Path], str]:
    """faster-whisper as its README uses it, with the same model, threads, beams and batch size; returns the text."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(
        str(settings.asr_model),
        device=settings.asr_device,
        compute_type=settings.asr_compute_type,
        cpu_threads=settings.asr_threads,
    )
    pipeline = BatchedInferencePipeline(model)

    def transcribe(path: Path) -> str:
        segments, _ = pipeline.transcribe(
            str(path),
            beam_size=settings.asr_beam_size,
            batch_size=settings.asr_batch_size,
            without_timestamps=False,
        )
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe


def timed(work: Callable[[], Any]) -> Callable[[], float]:
    """Make of ``work`` a function that returns the seconds it took."""

    def run() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return run


def compare(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """Median seconds of both, called in turn so that what else the machine does hits both."""
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(TRIALS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


@pytest.fixture(scope="session")
def two_minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two minutes of speech."""
    speech = np.tile(sample(), 1 + SECONDS * 16_000 // len(sample()))[: SECONDS * 16_000]
    return write_wav(tmp_path_factory.mktemp("two-minutes") / "audio", speech)


def test_engine_against_faster_whisper(two_minutes: Path, figure: Figure) -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, asr_threads=2)
    direct = direct_transcriber(settings)
    engine = Engine(settings)
    engine.start()
    stages: list[dict[str, float]] = []

    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    def ours() -> None:
        stages.append(engine.run(EngineJob("task", two_minutes, TaskOptions()), tick).metrics["stage_seconds"])

    try:
        mine, theirs = compare(timed(ours), timed(lambda: direct(two_minutes)))
    finally:
        engine.stop()
    ratio = mine / theirs
    split = ", ".join(f"{name} {statistics.median(s[name] for s in stages):.2f} s" for name in stages[0])
    figure(f"2-minute file: engine {mine:.2f} s ({split}), faster-whisper {theirs:.2f} s, ratio {ratio:.3f}")
    assert ratio <= MAX_RATIO


def test_service_against_faster_whisper(two_minutes: Path, own_stack: Callable[..., Stack], figure: Figure) -> None:
    stack = own_stack(asr_threads=2)
    stack.start("worker", "api")
    direct = direct_transcriber(Settings(profile="embedded", asr_model=MODEL, asr_threads=2))
    audio = two_minutes.read_bytes()

    with stack.client() as client:

        def through_the_api() -> float:
            """Seconds from the first byte sent until the service wrote the task's end; polling is no part of it."""
            begun = time.time()
            answer = client.post("/v1/process", files={"file": ("two-minutes.wav", audio)})
            assert answer.status_code == 202, answer.text
            task: dict[str, Any] = {"completed_at": None}
            while not task["completed_at"]:
                time.sleep(0.5)  # seldom, because the client's work would count as the service's on few cores
                task = client.get(answer.headers["Location"]).json()
            assert task["status"] == "COMPLETE", task
            return datetime.fromisoformat(task["completed_at"]).timestamp() - begun

        mine, theirs = compare(through_the_api, timed(lambda: direct(two_minutes)))
    ratio = mine / theirs
    figure(f"2-minute file: API {mine:.2f} s, faster-whisper {theirs:.2f} s, ratio {ratio:.3f}")
    assert ratio <= MAX_RATIO
