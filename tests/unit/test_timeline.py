"""The timeline: what the times of a hostile or broken file do to where its frames are put."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from maie.audio.container import open_container
from maie.audio.timeline import Timeline
from support.audiofiles import encode, tone

FRAME = 0.02


def placed(tmp_path: Path, times: Sequence[float | None], max_seconds: float = 10_000.0) -> tuple[list[float], float]:
    """Return when frames of 20 ms with these times begin, and how much was left out of gaps."""
    frames = []
    for time in times:
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.float32), "fltp", "mono")
        frame.sample_rate, frame.time_base = 16_000, Fraction(1, 1000)
        frame.pts = None if time is None else round(time * 1000)
        frames.append(frame)
    with open_container(encode(tmp_path / "audio", tone(1, 16_000), 16_000, "wav")) as container:
        timeline = Timeline(container, container.streams.audio[0], max_seconds)
        begins = []
        for start, _ in timeline.place(iter(frames)):
            begins.append(timeline.end if start is None else start)
    return begins, timeline.left_out


def line(count: int, first: float = 0.0) -> list[float]:
    return [first + FRAME * number for number in range(count)]


def test_frames_that_follow_on_each_other_stay_so(tmp_path: Path) -> None:
    assert placed(tmp_path, line(50)) == (pytest.approx(line(50)), 0.0)
    assert placed(tmp_path, [None] * 50)[0] == pytest.approx(line(50))


def test_times_that_jitter_make_no_gaps(tmp_path: Path) -> None:
    jitter = np.random.default_rng(1).uniform(-0.03, 0.03, 500)
    begins, _ = placed(tmp_path, list(line(500) + jitter))
    assert np.diff(begins) == pytest.approx(FRAME)


def test_a_gap_is_kept(tmp_path: Path) -> None:
    assert placed(tmp_path, [*line(5), *line(5, 3.0)])[0] == pytest.approx([*line(5), *line(5, 3.0)])


def test_a_frame_now_and_then_keeps_its_time(tmp_path: Path) -> None:
    assert placed(tmp_path, [0.0, 0.4, 0.8, 1.2])[0] == pytest.approx([0.0, 0.4, 0.8, 1.2])


def test_a_stray_time_of_the_last_frame_makes_no_gap(tmp_path: Path) -> None:
    begins, left_out = placed(tmp_path, [*line(5), 3000.0])
    assert begins == pytest.approx(line(6))
    assert left_out == pytest.approx(3000 - 5 * FRAME)


@pytest.mark.parametrize("stray", [-5.0, 5.0, 7200.0, 1e6])
def test_one_stray_time_shifts_nothing(tmp_path: Path, stray: float) -> None:
    begins, left_out = placed(tmp_path, [*line(5), stray, *line(5, 6 * FRAME)])
    assert begins == pytest.approx(line(11))
    assert left_out == 0.0


def test_times_that_start_anew_follow_on_what_was_before(tmp_path: Path) -> None:
    begins, _ = placed(tmp_path, [*line(5, 100.0), *line(5), *line(5, 10.0)])
    assert begins == pytest.approx([*line(10), *line(5, 10.1)])


def test_what_overlaps_is_kept_and_caught_up_in_the_next_gap(tmp_path: Path) -> None:
    begins, _ = placed(tmp_path, [*line(50), *line(5, 0.8), *line(5, 3.0)])
    assert begins == pytest.approx([*line(55), *line(5, 3.0)])


def test_a_slow_clock_is_caught_up_with(tmp_path: Path) -> None:
    times = [1.01 * time for time in line(1000)]
    begins, _ = placed(tmp_path, times)
    assert np.abs(np.array(begins) - times).max() <= 0.11


@pytest.mark.parametrize(("gap", "max_seconds"), [(3700.0, 10_000.0), (1e9, 10_000.0), (200.0, 100.0)])
def test_a_jump_of_hours_is_left_out_and_told(tmp_path: Path, gap: float, max_seconds: float) -> None:
    begins, left_out = placed(tmp_path, [*line(5), *line(5, gap)], max_seconds)
    assert begins == pytest.approx(line(10))
    assert left_out == pytest.approx(gap - 0.1)


def test_many_gaps_do_not_reach_beyond_the_limit(tmp_path: Path) -> None:
    begins, left_out = placed(tmp_path, [1000.0 * number for number in range(100)])
    assert begins[-1] < 10_000.0 + 100 * FRAME
    assert left_out > 80_000
