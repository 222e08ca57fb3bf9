"""Every format, rate and channel count that the service promises, from file to words, with the real model."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from support.audiofiles import CODECS, MEMO, encode, reference_text, sample, write_wav
from support.word_errors import wrong_words

MAX_WER = {8_000: 0.25, 16_000: 0.1, 44_100: 0.1, 48_000: 0.1}
"""Telephone speech has lost half of what the model was trained on."""


def transcribe(engine: Engine, path: Path) -> TaskResult:
    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    return engine.run(EngineJob("task", path, TaskOptions()), tick)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", MAX_WER)
@pytest.mark.parametrize("kind", CODECS)
def test_words_survive_every_format(engine: Engine, tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    spoken = sample(MEMO)
    result = transcribe(engine, encode(tmp_path / "audio", soxr.resample(spoken, 16_000, rate), rate, kind, channels))
    assert wrong_words(reference_text(MEMO), result.transcript.text) <= MAX_WER[rate]
    assert result.metrics["input_duration_seconds"] == pytest.approx(len(spoken) / 16_000, abs=0.3)
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("start", "spoken"),
    [(22.3, "12 spaces"), (25.2, "We take the lease"), (49.8, "July is too late"), (57.0, "March 6th"), (63.9, "Bye")],
)
def test_one_second(engine: Engine, tmp_path: Path, start: float, spoken: str) -> None:
    first = round(start * 16_000)
    result = transcribe(engine, write_wav(tmp_path / "audio", sample()[first : first + 16_000]))
    assert wrong_words(spoken, result.transcript.text) == 0
    assert result.metrics["input_duration_seconds"] == 1.0
    assert all(0 <= s.start <= s.end <= 1 for s in result.transcript.segments)


@pytest.mark.parametrize("samples", [1, 100, 800])
def test_a_few_samples(engine: Engine, tmp_path: Path, samples: int) -> None:
    assert transcribe(engine, write_wav(tmp_path / "audio", sample()[:samples])).transcript.segments == ()


def test_a_cut_mp3_gives_the_words_it_holds(engine: Engine, tmp_path: Path) -> None:
    path = encode(tmp_path / "audio", sample(), 16_000, "mp3")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    result = transcribe(engine, path)
    assert "ends early" in result.warnings[0]
    words, spoken = result.transcript.text.lower().split(), reference_text().lower().split()
    assert 0.25 * len(spoken) < len(words) < 0.75 * len(spoken)
    assert words[:3] == spoken[:3]


def test_speech_stays_where_it_is_in_long_silence(engine: Engine, tmp_path: Path) -> None:
    silence = np.zeros(200 * 16_000, np.float32)
    result = transcribe(engine, write_wav(tmp_path / "audio", np.concatenate([silence, sample(), silence])))
    segments = result.transcript.segments
    assert wrong_words(reference_text(), result.transcript.text) <= MAX_WER[16_000]
    assert segments[0].start == pytest.approx(200, abs=2)
    assert segments[-1].end == pytest.approx(200 + len(sample()) / 16_000, abs=2.5)


def test_a_long_file(engine: Engine, tmp_path: Path) -> None:
    """Half an hour in ``make test-full``."""
    times = 28 if "MAIE_TEST_FULL" in os.environ else 5
    speech = np.tile(sample(), times)
    result = transcribe(engine, write_wav(tmp_path / "audio", speech))
    segments = result.transcript.segments
    assert all(a.end <= b.start for a, b in pairwise(segments))
    assert segments[-1].end == pytest.approx(len(speech) / 16_000, abs=2)
    assert wrong_words(" ".join([reference_text()] * times), result.transcript.text) <= MAX_WER[16_000]
