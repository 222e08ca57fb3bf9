"""Levels: quiet speech is raised, and neither a room in which nobody speaks nor a recording that is loud enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from maie.audio.levels import Levels
from support.audiocases import phrase
from support.audiofiles import Samples, read, sample, write_wav
from support.sounds import breathing, chords, noise, quiet_room


def gain(samples: Samples) -> float:
    """Return the gain in dB, the samples coming in blocks of odd lengths."""
    levels = Levels()
    for first in range(0, len(samples), 15_007):
        levels.add(samples[first : first + 15_007])
    return float(20 * np.log10(levels.gain()))


@pytest.mark.parametrize("decibels", [0, -10, -20])
def test_what_is_loud_enough_stays_as_it_is(decibels: float) -> None:
    assert gain(sample() * np.float32(10 ** (decibels / 20))) == 0.0


@pytest.mark.parametrize("decibels", [-40, -60, -80])
def test_quiet_speech_comes_to_its_usual_level(decibels: float) -> None:
    raised = gain(sample() * np.float32(10 ** (decibels / 20))) + decibels
    assert -12 < raised < 0


@pytest.mark.parametrize(
    "room", [quiet_room, lambda seconds: noise(seconds) / 1000, lambda seconds: 0 * noise(seconds)]
)
def test_an_empty_room_stays_as_quiet_as_it_is(room: Callable[[float], Samples]) -> None:
    assert gain(room(60)) == 0.0


def test_a_knock_does_not_keep_speech_quiet_and_a_loud_word_does() -> None:
    quiet = phrase() * np.float32(0.001)
    knock, word = quiet.copy(), np.concatenate([phrase()[8_000:24_000], quiet])
    knock[:1_600] += 0.5 * noise(0.1)
    assert gain(knock) > 40
    assert gain(word) == 0.0


@pytest.mark.parametrize("sound", [breathing, chords, sample])
def test_nothing_is_clipped(sound: Callable[..., Samples]) -> None:
    quiet = (sound(60) if sound is not sample else sound()) * np.float32(0.001)
    assert np.abs(quiet).max() * 10 ** (gain(quiet) / 20) < 1.0


def test_the_level_is_told_as_it_was_recorded(tmp_path: Path) -> None:
    with read(write_wav(tmp_path / "audio", 0.005 * noise(5))) as audio:
        assert audio.loudest_db == pytest.approx(-66, abs=1)
    with read(write_wav(tmp_path / "audio", 0 * noise(5))) as audio:
        assert audio.loudest_db == -np.inf
