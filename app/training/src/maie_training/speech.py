"""Speech as samples: its rate, its ends, its level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
_SILENCE = 0.004

Samples = npt.NDArray[np.float32]


class SpeechError(Exception):
    """The synthesiser is missing or failed; the message says what to do."""


def trim(samples: Samples) -> Samples:
    """Return samples without the silence at their ends.

    Raises SpeechError when there is nothing else.
    """
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    if not loud.size:
        raise SpeechError("the synthesiser made only silence")
    return samples[loud[0] : loud[-1] + 1]


def level(samples: Samples, gain_db: float) -> Samples:
    """Bring speech to -20 dBFS of root mean square, then apply the voice's gain; never clip."""
    power = float(np.sqrt(np.mean(np.square(samples))))
    factor = 10 ** ((gain_db - 20.0) / 20.0) / power
    peak = float(np.max(np.abs(samples)))
    return (samples * min(factor, 0.95 / peak)).astype(np.float32)
