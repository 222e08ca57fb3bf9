"""What has no speech in it gets no text, or a warning; natural speech gets neither the one nor the other."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from maie.domain import EngineJob, Progress, Segment, TaskOptions, TaskResult, Transcript
from maie.engine import Engine
from maie.settings import Settings
from maie.stages import quality
from support import natural_speech
from support.audiofiles import BASE, MODEL, SAMPLE, Samples, write_wav
from support.sounds import breathing, chords, dial_tone, drums, noise, quiet_room
from support.stack import Figure

pytestmark = pytest.mark.timeout(3600)
FULL = "MAIE_TEST_FULL" in os.environ
SECONDS = 600.0 if FULL else 60.0

SPARSE = re.compile(r"Hardly any words were recognised in .* \((\d+) s\)")

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


def unexplained_seconds(result: TaskResult) -> float:
    """Return the seconds of text that no warning is about: none of its segments is doubtful, no stretch sparse."""
    sure = sum(s.end - s.start for s in result.transcript.segments if not quality.looks_wrong([s]))
    sparse = sum(int(found[1]) for warning in result.warnings if (found := SPARSE.match(warning)))
    return max(0.0, sure - quality.LEAST_COVERED * sparse)


@pytest.mark.parametrize("name", SOUNDS)
def test_what_is_no_speech_gets_no_text_without_a_warning(
    engine: Engine, name: str, tmp_path: Path, figure: Figure
) -> None:
    result = hear(engine, write_wav(tmp_path / "sound.wav", SOUNDS[name](SECONDS)))
    text = result.transcript.text
    seconds = sum(result.metrics["stage_seconds"].values())
    figure(f"{SECONDS:.0f} s of {name}: {len(text.split())} words {text[:60]!r} in {seconds:.1f} s, {result.warnings}")
    assert result.warnings
    assert set(quality.doubts(result.transcript.segments)) <= set(result.warnings)
    assert unexplained_seconds(result) == 0


@pytest.mark.parametrize(("lengths", "left"), [((2.0, 2.0), 0.0), ((2.0, 2.0, 20.0), 19.0)])
def test_a_sparse_stretch_explains_no_more_text_than_it_can_have(lengths: tuple[float, ...], left: float) -> None:
    segments = tuple(
        Segment(30.0 * n, 30.0 * n + length, "Thank you.", -0.3, 0.9, 0.1) for n, length in enumerate(lengths)
    )
    warning = "Hardly any words were recognised in 1 of 3 stretches of speech (20 s)."
    assert unexplained_seconds(TaskResult(Transcript("en", segments), {}, {}, (warning,))) == left


def test_natural_speech_gets_no_such_warning(engine: Engine) -> None:
    for path in (SAMPLE, natural_speech.MEETING) if FULL else (SAMPLE,):
        assert hear(engine, path).warnings == ()
