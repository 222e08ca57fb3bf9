"""What has no speech in it gets no text, or a warning; natural speech gets neither the one nor the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import natural_speech
import numpy as np
import pytest
from audiofiles import BASE, MODEL, SAMPLE, Samples, write_wav
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.settings import Settings
from sounds import breathing, chords, dial_tone, drums, noise, quiet_room
from stack import Figure

pytestmark = pytest.mark.timeout(3600)
FULL = "MAIE_TEST_FULL" in os.environ
SECONDS = 600.0 if FULL else 60.0

SPARSE = "Hardly any words were recognised"

SOUNDS: dict[str, Callable[[float], Samples]] = {
    "silence": lambda seconds: np.zeros(round(seconds * 16_000), np.float32),
    "quiet room": quiet_room,
    "music": lambda seconds: np.clip(chords(seconds) + 0.6 * drums(seconds), -1, 1),
    "piano": chords,
    "noise": noise,
    "breathing": breathing,
    "dial tone": dial_tone,
    "far breathing": lambda seconds: breathing(seconds) / 300,
    "far piano": lambda seconds: chords(seconds) / 300,
}


@pytest.fixture(scope="module", params=[True, False], ids=["vad", "no vad"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = Engine(Settings(profile="embedded", asr_model=BASE if FULL else MODEL, asr_threads=2, vad=request.param))
    made.start()
    yield made
    made.stop()


def hear(engine: Engine, path: Path) -> TaskResult:
    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    return engine.run(EngineJob("task", path, TaskOptions()), tick)


@pytest.mark.parametrize("name", SOUNDS)
def test_what_is_no_speech_gets_no_text_without_a_warning(
    engine: Engine, name: str, tmp_path: Path, figure: Figure
) -> None:
    result = hear(engine, write_wav(tmp_path / "sound.wav", SOUNDS[name](SECONDS)))
    text = result.transcript.text
    seconds = sum(result.metrics["stage_seconds"].values())
    figure(f"{SECONDS:.0f} s of {name}: {len(text.split())} words {text[:60]!r} in {seconds:.1f} s, {result.warnings}")
    assert result.warnings
    if text:
        segments = len(result.transcript.segments)
        doubt = f"{segments} of {segments} segments were recognised with low confidence."
        assert doubt in result.warnings or any(SPARSE in warning for warning in result.warnings)


def test_natural_speech_gets_no_such_warning(engine: Engine) -> None:
    for path in (SAMPLE, natural_speech.MEETING) if FULL else (SAMPLE,):
        assert hear(engine, path).warnings == ()
