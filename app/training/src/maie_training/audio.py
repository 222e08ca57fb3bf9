"""Place utterances on a time line, make noise, write WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from maie_training.speech import SAMPLE_RATE, Samples


def noise(length: int, rng: np.random.Generator) -> Samples:
    """Return ``length`` samples of pink noise with a root mean square of 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    # Power falls with frequency, from 50 Hz up; below that it is flat.
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 50.0)), length)
    return np.asarray(shaped / np.sqrt(np.mean(np.square(shaped))), dtype=np.float32)


def place(pieces: list[tuple[int, Samples]], length: int) -> Samples:
    """Return ``length`` samples of silence with each piece added at its sample offset."""
    track = np.zeros(length, dtype=np.float32)
    for offset, piece in pieces:
        track[offset : offset + len(piece)] += piece
    return track


def write_wav(path: Path, samples: Samples) -> None:
    """Write mono 16-bit PCM at 16 kHz; samples beyond -1..1 are clipped."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
