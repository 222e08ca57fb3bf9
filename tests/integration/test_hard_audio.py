"""Audio that recognisers fall over: hours of silence, music, noise, other languages, headers that lie, long files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.errors import AudioTooLong
from maie.settings import PROFILES, Settings
from maie.stages import quality
from support.audiofiles import MODEL, encode, reference_text, sample, write_wav
from support.sounds import GERMAN, chords, voice
from support.stack import Figure
from support.word_errors import number_of_words, wrong_words

pytestmark = pytest.mark.timeout(3600)
FULL = "MAIE_TEST_FULL" in os.environ
HOUR = 3600.0 if FULL else 120.0
"""In ``make test`` an hour has two minutes; the limit of three hours is scaled alike."""

MAX_GROWTH_MIB = 700
LOW_CONFIDENCE = "segments were recognised with low confidence"

Start = Callable[..., Engine]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start engines with settings of their own; each is kept for all tests that want the same."""
    engines: dict[str, Engine] = {}

    def make(**settings: Any) -> Engine:
        engine = engines.get(repr(settings))
        if engine is None:
            given = {**PROFILES["embedded"], "max_audio_seconds": 3 * HOUR, "asr_threads": 2, **settings}
            engine = engines[repr(settings)] = Engine(Settings(profile="embedded", asr_model=MODEL, **given))
            engine.start()
        return engine

    yield make
    for engine in engines.values():
        engine.stop()


def hear(engine: Engine, path: Path, told: list[Progress] | None = None) -> TaskResult:
    def tick(progress: Progress | None) -> None:
        if progress is not None and told is not None:
            told.append(progress)

    return engine.run(EngineJob("task", path, TaskOptions()), tick)


def mib(engine: Engine, name: str) -> float:
    """A figure of the engine process in MiB: ``VmRSS`` now, ``VmHWM`` at its most."""
    lines = Path(f"/proc/{engine.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def claiming(path: Path, seconds: float) -> Path:
    """Let a FLAC file's header claim another length: the last 36 bits of the first block's sample count."""
    content = bytearray(path.read_bytes())
    packed = int.from_bytes(content[18:26], "big") >> 36 << 36 | round(seconds * 16_000)
    content[18:26] = packed.to_bytes(8, "big")
    path.write_bytes(content)
    return path


def silence(folder: Path, hours: float) -> Path:
    return encode(folder / "silence.flac", np.zeros(round(hours * HOUR * 16_000), np.float32), 16_000, "flac")


def has_loops(result: TaskResult) -> bool:
    segments = list(result.transcript.segments) if result.transcript else []
    return quality.without_loops(segments, ()) != (segments, 0)


def test_four_hours_of_silence_are_refused_although_the_header_says_less(start: Start, tmp_path: Path) -> None:
    path = claiming(silence(tmp_path, 4), 60)
    assert path.stat().st_size < 3 * 1024**2
    with pytest.raises(AudioTooLong, match=f"longer than {3 * HOUR:.0f} seconds"):
        hear(start(), path)


def test_four_hours_of_silence_are_an_explicit_nothing_where_they_are_allowed(start: Start, tmp_path: Path) -> None:
    for vad in (True, False):
        engine = start(max_audio_seconds=5 * HOUR, vad=vad)
        idle = mib(engine, "VmRSS")
        result = hear(engine, silence(tmp_path, 4))
        silent = "No speech was found in the audio, which is nothing but digital silence."
        assert (result.transcript.segments, result.warnings) == ((), (silent,))
        assert result.metrics["input_duration_seconds"] == pytest.approx(4 * HOUR)
        assert mib(engine, "VmHWM") - idle < MAX_GROWTH_MIB


def test_three_hours_of_speech_are_complete_within_bounded_memory(start: Start, tmp_path: Path, figure: Figure) -> None:
    seconds = 3 * HOUR - 1
    speech = np.tile(sample(), 1 + round(seconds * 16_000) // len(sample()))[: round(seconds * 16_000)]
    engine = start(asr_batch_size=4)
    idle = mib(engine, "VmRSS")
    told: list[Progress] = []
    result = hear(engine, encode(tmp_path / "long.flac", speech, 16_000, "flac"), told)
    segments = result.transcript.segments
    found = number_of_words(result.transcript.text)
    spoken = number_of_words(reference_text()) * seconds * 16_000 / len(sample())
    figure(f"{seconds:.0f} s: {mib(engine, 'VmHWM') - idle:.0f} MiB over idle {idle:.0f}, {result.metrics}")
    assert found == pytest.approx(spoken, rel=0.05)
    assert segments[-1].end == pytest.approx(seconds, abs=10)
    assert all(a.end <= b.start for a, b in pairwise(segments))
    assert mib(engine, "VmHWM") - idle < MAX_GROWTH_MIB
    assert [p.audio_seconds for p in told if p.audio_seconds is not None] == [pytest.approx(seconds, abs=0.1)]
    assert result.warnings == ()


def test_a_language_that_the_model_does_not_know_is_told_as_doubt(start: Start, tmp_path: Path) -> None:
    english, german, pause = sample()[: 10 * 16_000], voice(GERMAN, "de", tmp_path), np.zeros(4 * 16_000, np.float32)
    result = hear(start(), write_wav(tmp_path / "both", np.concatenate([english, pause, german, pause, english])))
    assert result.transcript.text.count("Boston office") == 2
    assert not has_loops(result)
    foreign = [s for s in result.transcript.segments if s.start > 12 and s.end < 14 + len(german) / 16_000]
    assert foreign
    assert f"{len(foreign)} of {len(result.transcript.segments)} {LOW_CONFIDENCE}." in result.warnings


def test_speech_over_music_is_heard(start: Start, tmp_path: Path) -> None:
    speech = sample()
    result = hear(
        start(),
        write_wav(tmp_path / "both", np.clip(speech + 0.05 * chords(len(speech) / 16_000)[: len(speech)], -1, 1)),
    )
    assert wrong_words(reference_text(), result.transcript.text) <= 0.2
    assert not has_loops(result)
