"""Levels: how loud a recording is, and by how much quiet speech has to be raised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maie.domain import SAMPLE_RATE

Samples = NDArray[np.float32]

STRETCH = SAMPLE_RATE // 10
"""Samples whose level is measured together."""

KNOCKS = 3
"""So many of the loudest stretches are ignored: a recorder's click must not leave speech quiet."""

QUIET_DB, USUAL_DB = -40.0, -23.0
"""Recordings whose loudest parts stay below the one are raised to the other, in dBFS."""

MAX_GAIN_DB = 80.0

LEAST_RANGE_DB = 8.0
"""Loudness of speech goes up and down by more than this; that of an empty room, or of a hum, does not."""

NO_OFFSET = 0.1
"""Share of a second's level up to which its mean is part of the sound."""

SILENCE_DB = -150.0
"""Lower levels, which even a file of floats has no use for, count as none at all."""


class Centre:
    """Removes an offset of the samples (direct current), which would leave no room to raise quiet speech."""

    def __init__(self) -> None:
        self._offset: np.float32 | None = None

    def centred(self, samples: Samples) -> Samples:
        """Return the next samples (16 kHz, mono) without their offset, which may change from second to second."""
        if len(samples) == 0:
            return samples
        mean = samples.mean()
        if abs(mean) < NO_OFFSET * samples.std():
            mean = np.float32(0.0)
        before = mean if self._offset is None else self._offset
        self._offset = mean if len(samples) >= SAMPLE_RATE // 2 else before  # less is too short to judge by
        change = np.linspace(0.0, 1.0, len(samples), dtype=np.float32) * (self._offset - before)
        centred: Samples = samples - before - change
        return centred


class Levels:
    """Gathers the levels of a recording while it is decoded: 120 bytes a second."""

    def __init__(self) -> None:
        self._powers: list[NDArray[np.float64]] = []
        self._peaks: list[Samples] = []

    def add(self, samples: Samples) -> None:
        """Take the next samples (16 kHz, mono); an offset (direct current) does not count as loudness."""
        starts = np.arange(0, len(samples), STRETCH)
        if len(starts) == 0:
            return
        lengths = np.diff(np.append(starts, len(samples)))
        means = np.add.reduceat(samples, starts, dtype=np.float64) / lengths
        squares = np.add.reduceat(np.square(samples), starts, dtype=np.float64) / lengths
        self._powers.append(np.maximum(squares - np.square(means), 0.0))
        self._peaks.append(np.maximum.reduceat(np.abs(samples), starts))

    @property
    def loudest_db(self) -> float:
        """Level of the loudest parts in dBFS; minus infinity where nothing sounds at all."""
        return _db(_high(np.concatenate(self._powers))) if self._powers else -np.inf

    def gain(self) -> float:
        """Return the factor that brings the recording to a level at which speech is found, without clipping.

        It is 1 for nearly all recordings. One that is quiet from beginning to end is raised, but only where its
        loudness goes up and down as that of speech does: the noise of an empty room stays as quiet as it is. One whose
        floats go beyond full scale is lowered.
        """
        if not self._powers:
            return 1.0
        powers, peak = np.concatenate(self._powers), float(_high(np.concatenate(self._peaks)))
        loudest, quietest = self.loudest_db, _db(np.percentile(powers, 10))
        if peak > 1.0:
            return 1.0 / peak
        if not SILENCE_DB < loudest < QUIET_DB or loudest - quietest < LEAST_RANGE_DB:
            return 1.0
        wanted = 10.0 ** (min(USUAL_DB - loudest, MAX_GAIN_DB) / 20.0)
        return float(max(1.0, min(wanted, 0.9 / peak)))


def _high(values: NDArray[np.floating]) -> float:
    """Return the highest value except for a few, which may be knocks; of a short recording the very highest."""
    skipped = min(KNOCKS, len(values) // 10)
    return float(np.partition(values, len(values) - 1 - skipped)[len(values) - 1 - skipped])


def _db(power: float) -> float:
    level = 10.0 * np.log10(power) if power > 0.0 else -np.inf
    return float(level) if level > SILENCE_DB else -np.inf
