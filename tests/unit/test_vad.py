"""Voice activity detection on real speech, and the grouping of its spans into chunks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from maie.asr.base import MAX_PIECE_SECONDS
from maie.domain import SAMPLE_RATE, Span
from maie.stages.decode import decode
from maie.stages.vad import WINDOW_SECONDS, coverage, find_sound, find_speech, group
from support.audiofiles import Samples, sample, tone, write_wav


def spans_of(path: Path, samples: Samples) -> list[Span]:
    with decode(write_wav(path, samples), 1e6, lambda _: None) as audio:
        return find_speech(audio, lambda _: None)


def silence(seconds: float) -> Samples:
    """What a quiet room sounds like."""
    noise = np.random.default_rng(1).normal(0, 2e-4, round(seconds * SAMPLE_RATE))
    return noise.astype(np.float32)


def test_there_is_no_speech_in_silence_and_in_a_tone(tmp_path: Path) -> None:
    for name, samples in {
        "zeros": np.zeros(160_000, np.float32),
        "room": silence(10),
        "tone": tone(10, 16_000),
    }.items():
        assert spans_of(tmp_path / name, samples) == []


def test_speech_is_found_where_it_is(tmp_path: Path) -> None:
    speech = sample()[: 8 * SAMPLE_RATE]
    spans = spans_of(tmp_path / "a", np.concatenate([silence(20), speech, silence(20)]))
    assert spans[0].start == pytest.approx(20, abs=1.5)
    assert spans[-1].end == pytest.approx(28, abs=1.5)
    assert sum(s.end - s.start for s in spans) > 4


def test_a_border_between_windows_cuts_nothing(tmp_path: Path) -> None:
    sentence = sample()[round(20.2 * SAMPLE_RATE) : round(21.9 * SAMPLE_RATE)]
    speech = np.concatenate([silence(3), sentence, silence(5)])
    (alone,) = spans_of(tmp_path / "alone", speech)
    lead = WINDOW_SECONDS - (alone.start + alone.end) / 2
    (across,) = spans_of(tmp_path / "across", np.concatenate([silence(lead), speech]))
    assert across.start - lead == pytest.approx(alone.start, abs=0.3)
    assert across.end - lead == pytest.approx(alone.end, abs=0.3)


def test_spans_are_in_order_short_enough_and_inside_the_audio(tmp_path: Path) -> None:
    speech = np.tile(sample(), 8)[: 250 * SAMPLE_RATE]
    spans = spans_of(tmp_path / "a", speech)
    assert all(0 <= s.start < s.end <= 250 and s.end - s.start <= MAX_PIECE_SECONDS for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert 0.3 < coverage(spans, 250) <= 1


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []
    with decode(write_wav(tmp_path / "a", silence(2.5 * WINDOW_SECONDS)), 1e6, lambda _: None) as audio:
        find_speech(audio, seen.append)
    assert seen == pytest.approx([0.4, 0.8, 1.0])


def test_chunks_are_cut_in_pauses_and_at_most_30_seconds_long() -> None:
    spans = [Span(0, 12), Span(12.5, 25), Span(25.5, 29), Span(29.5, 40), Span(50, 51)]
    assert group(spans) == [Span(0, 29), Span(29.5, 40), Span(50, 51)]


def test_a_long_pause_ends_a_chunk() -> None:
    assert group([Span(0, 1), Span(3.9, 5), Span(9, 10)]) == [Span(0, 5), Span(9, 10)]


def test_no_speech_makes_no_chunks() -> None:
    assert group([]) == []
    assert coverage([], 10) == 0


def sounds_of(path: Path, samples: Samples) -> tuple[list[Span], list[float]]:
    seen: list[float] = []
    with decode(write_wav(path, samples), 1e6, lambda _: None) as audio:
        return find_sound(audio, seen.append), seen


def test_without_the_detector_all_that_sounds_is_found_and_silence_is_not(tmp_path: Path) -> None:
    samples = np.concatenate([silence(20), tone(2, 16_000), silence(WINDOW_SECONDS), tone(3.009, 16_000)])
    spans, seen = sounds_of(tmp_path / "a", samples)
    assert [(s.start, s.end) for s in spans] == [(19.8, 22.2), (pytest.approx(141.8), pytest.approx(145.0, abs=0.02))]
    assert seen == [pytest.approx(120 / 145.009), 1.0]
    assert sounds_of(tmp_path / "b", silence(5))[0] == sounds_of(tmp_path / "c", silence(0.01))[0] == []


def test_a_long_sound_is_cut_where_it_is_quietest(tmp_path: Path) -> None:
    samples = tone(70, 16_000)
    for second in (25, 48):
        samples[second * 16_000 : second * 16_000 + 1600] *= 0.1
    spans, _ = sounds_of(tmp_path / "a", samples)
    assert [s.start for s in spans] == [0, pytest.approx(25, abs=0.1), pytest.approx(48, abs=0.1)]
    assert [a.end for a in spans[:-1]] == [b.start for b in spans[1:]]
    assert spans[-1].end == 70
