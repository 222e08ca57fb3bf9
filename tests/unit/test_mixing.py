"""Mixing: no click where the channels change, both of two people who speak at once, and what is the same stays so."""

from __future__ import annotations

import numpy as np
import pytest
from maie.audio.mixing import Mixer
from support.audiocases import other_phrase, phrase
from support.audiofiles import Samples, tone

RATE = 16_000


def mix(*channels: Samples, rate: int = RATE) -> Samples:
    """Mix channels block by block."""
    mixer = Mixer(len(channels), rate)
    whole = np.stack(channels)
    blocks = [whole[:, first : first + mixer.length] for first in range(0, whole.shape[1], mixer.length)]
    return np.concatenate([mixer.mix(block) for block in blocks])


def likeness(found: Samples, wanted: Samples) -> float:
    return abs(float(np.corrcoef(found, wanted)[0, 1]))


def sharpest(samples: Samples) -> float:
    """The sharpest bend from one sample to the next."""
    return float(np.abs(np.diff(samples, 2)).max())


@pytest.mark.parametrize("count", [2, 6, 16])
@pytest.mark.parametrize("rate", [1_000, 8_000, 48_000])
def test_channels_that_are_alike_are_each_of_them(count: int, rate: int) -> None:
    sound = tone(2.5, rate, 200.0)
    assert np.allclose(mix(*[sound] * count, rate=rate), sound, atol=1e-5)


@pytest.mark.parametrize("dead", [1, 5, 15])
def test_a_channel_alone_keeps_its_level(dead: int) -> None:
    assert np.allclose(mix(*[0 * phrase()] * dead, phrase()), phrase(), atol=1e-5)


def test_nothing_clicks_where_the_channels_change() -> None:
    sound = tone(6, RATE, 200.0)
    sound *= (0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(len(sound)) / RATE)).astype(np.float32)  # as in speech
    inverted, gone, far = sound.copy(), sound.copy(), 0.1 * sound
    inverted[round(1.234 * RATE) : round(3.3 * RATE)] *= -1
    gone *= np.interp(np.arange(len(sound)) / RATE, [0, 2.1, 2.11, 4.7, 4.71], [1, 1, 0, 0, 1]).astype(np.float32)
    changes = sharpest(inverted)
    for others in ([inverted], [gone], [far, inverted], [inverted, gone, far]):
        mixed = mix(sound, *others)
        away = np.ones(len(mixed), bool)
        for time in (1.234, 3.3):  # there the channel itself jumps
            away[round((time - 0.002) * RATE) : round((time + 0.002) * RATE)] = False
        bends = np.abs(np.diff(mixed, 2))[away[1:-1]]
        assert bends.max() < 2 * sharpest(sound) < 0.1 * changes
        assert np.sqrt(np.square(mixed).mean()) == pytest.approx(np.sqrt(np.square(sound).mean()), rel=0.1)


@pytest.mark.parametrize("decibels", [0, -10])
def test_two_people_at_once_are_both_there(decibels: float) -> None:
    one, two = phrase(), other_phrase() * np.float32(10 ** (decibels / 20))
    mixed = mix(one, two)
    left = np.linalg.lstsq(np.stack([one, two], axis=1), mixed, rcond=None)[0]
    assert abs(left[0]) == pytest.approx(abs(left[1]), rel=0.1)
    assert abs(left).min() > 0.6
    assert likeness(mixed, one + two) > 0.95


def test_one_who_breaks_the_silence_of_a_noisy_channel_is_heard_from_the_first_word() -> None:
    begins = round(10.85 * RATE)  # near the end of a block
    noisy = np.random.default_rng(1).normal(0, 0.005, 14 * RATE).astype(np.float32)
    noisy[begins : begins + 3 * RATE] += phrase()[9_000 : 9_000 + 3 * RATE]
    spoken = np.concatenate([phrase(), phrase(), np.zeros(4 * RATE, np.float32)])
    mixed = mix(spoken, noisy)
    assert likeness(mixed[begins : begins + 2_400], noisy[begins : begins + 2_400]) > 0.95
