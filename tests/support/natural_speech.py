"""The ten-minute meeting in natural voices: as it is, cut, and as it sounds through noise or a telephone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from maie.stages.decode import decode

from support.audiofiles import ROOT, Samples

RATE = 16_000
MEETING = ROOT / "files" / "audio" / "natural-meeting-10min.opus"
TELEPHONE_BAND = (300.0, 3400.0)


@cache
def whole() -> tuple[Samples, str]:
    """Return the meeting's samples, and what is said in it."""
    with decode(MEETING, 3600, lambda _: None) as audio:
        return audio.window(0, audio.samples), str(_reference()["verbatim"])


def beginning(seconds: float) -> tuple[Samples, str]:
    """Return the turns of the meeting that have ended after so many seconds, and what is said in them."""
    turns = [turn for turn in _reference()["turns"] if turn["end"] <= seconds]
    return whole()[0][: round(turns[-1]["end"] * RATE)], " ".join(turn["verbatim"] for turn in turns)


def in_pink_noise(speech: Samples, decibels: float) -> Samples:
    """Return speech in noise whose power falls with its frequency, so many decibels below the speech."""
    white = np.fft.rfft(np.random.default_rng(4).normal(0, 1, len(speech)))
    white[1:] /= np.sqrt(np.arange(1, len(white)))
    white[0] = 0
    noise = np.fft.irfft(white, len(speech))
    spoken = np.square(speech[np.abs(speech) > 0.01]).mean()
    noise *= np.sqrt(spoken / 10 ** (decibels / 10) / np.square(noise).mean())
    return np.clip(speech + noise, -1, 1).astype(np.float32)


def by_telephone(speech: Samples) -> Samples:
    """Return speech as a telephone of 8 kHz lets it through."""
    narrow = soxr.resample(speech, RATE, 8_000)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / 8_000)
    spectrum[(hertz < TELEPHONE_BAND[0]) | (hertz > TELEPHONE_BAND[1])] = 0
    back = soxr.resample(np.fft.irfft(spectrum, len(narrow)), 8_000, RATE)
    return np.asarray(back, dtype=np.float32)


def _reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(MEETING).with_suffix(".json").read_text(encoding="utf-8"))
    return found
