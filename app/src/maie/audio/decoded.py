"""Decoded audio, as the stages read it."""

from __future__ import annotations

import os
from typing import IO

import numpy as np

from maie.audio.levels import Levels, Samples
from maie.domain import SAMPLE_RATE

SAMPLE_BYTES = 4


class Audio:
    """Decoded audio: 16 kHz, mono, on disk in a file that has no name, so that nothing of it can be left behind.

    Attributes:
        samples: How many there are.
        loudest_db: Level of the loudest parts in dBFS, as they were recorded; minus infinity where nothing sounds.
        warnings: Sentences for the client on what of the file could not be decoded, or was left out.
    """

    def __init__(self, file: IO[bytes], samples: int, levels: Levels, warnings: tuple[str, ...]) -> None:
        self._file = file
        self._gain = np.float32(levels.gain())
        self.samples = samples
        self.loudest_db = levels.loudest_db
        self.warnings = warnings

    @property
    def seconds(self) -> float:
        """The length of the audio."""
        return self.samples / SAMPLE_RATE

    def window(self, start: int, end: int) -> Samples:
        """Return the samples from ``start`` to ``end`` (exclusive), clipped to the audio, as floats from -1 to 1.

        All are raised alike where the whole recording is too quiet.
        """
        start, end = max(0, start), min(end, self.samples)
        raw = os.pread(self._file.fileno(), SAMPLE_BYTES * max(0, end - start), SAMPLE_BYTES * start)
        samples: Samples = np.clip(np.frombuffer(raw, dtype=np.float32) * self._gain, -1.0, 1.0)
        return samples

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> Audio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
