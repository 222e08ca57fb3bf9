"""Speak text with the eSpeak NG program."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import numpy.typing as npt
import soxr

from maie_training.voices import Voice

SAMPLE_RATE = 16_000
_ESPEAK_RATE = 22_050
_WAV_HEADER_BYTES = 44
_SILENCE = 0.004

Samples = npt.NDArray[np.float32]


class SpeechError(Exception):
    """The synthesiser is missing or failed; the message says what to do."""


def require_synthesiser() -> None:
    """Raise SpeechError, saying what to install, when eSpeak NG is not there."""
    if shutil.which("espeak-ng") is None:
        raise SpeechError("eSpeak NG is missing: install the Debian package espeak-ng")


def synthesise(text: str, voice: Voice) -> Samples:
    """Return ``text`` spoken: float32 samples in -1..1 at 16 kHz, without silence at the ends.

    Raises SpeechError when eSpeak NG fails or says nothing.
    """
    command = ["espeak-ng", "--stdout", "--stdin", "-b", "1"]
    command += ["-v", voice.name, "-s", str(voice.speed), "-p", str(voice.pitch)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) <= _WAV_HEADER_BYTES:
        reason = done.stderr.decode(errors="replace").strip() or "no sound"
        raise SpeechError(f"eSpeak NG failed for voice {voice.name}: {reason}")
    raw = np.frombuffer(done.stdout, dtype="<i2", offset=_WAV_HEADER_BYTES)
    samples = soxr.resample(raw.astype(np.float32) / 32768.0, _ESPEAK_RATE, SAMPLE_RATE)
    return level(trim(samples), voice.gain_db)


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
