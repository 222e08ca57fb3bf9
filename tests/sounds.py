"""Sounds that are no speech of the embedded model's language: music, noise, and voices of other languages."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import soxr
from audiofiles import Samples

RATE = 16_000
GERMAN = (
    "Guten Morgen zusammen. Wir sprechen heute über den Haushalt und die nächsten Schritte. Die Besprechung dauert "
    "eine Stunde, danach gehen wir essen. Bitte schicken Sie mir den Bericht bis Freitag."
)


def chords(seconds: float) -> Samples:
    """Four notes with overtones every two seconds, as a piano's: struck, and fading."""
    generator = np.random.default_rng(1)
    time = np.arange(2 * RATE) / RATE
    bars = []
    for _ in range(int(np.ceil(seconds / 2))):
        root = 110 * 2 ** (generator.choice([0, 2, 3, 5, 7, 8, 10]) / 12)
        phases = generator.uniform(0, 2 * np.pi, (4, 4))
        notes = [
            np.sin(2 * np.pi * root * 2 ** (step / 12) * overtone * time + phases[i, overtone - 1]) / overtone
            for i, step in enumerate((0, 4, 7, 12))
            for overtone in (1, 2, 3, 4)
        ]
        bars.append(0.08 * np.sum(notes, axis=0) * np.minimum(1, time / 0.02) * np.exp(-time / 1.2))
    return np.concatenate(bars)[: round(seconds * RATE)].astype(np.float32)


def drums(seconds: float) -> Samples:
    """A kick, a snare and two hats a second."""
    generator = np.random.default_rng(2)
    time = np.arange(RATE // 4) / RATE
    kick = np.sin(2 * np.pi * 50 * time) * np.exp(-12 * time)
    hits = []
    for beat in range(int(np.ceil(seconds * 4))):
        decay = 25 if beat % 4 == 2 else 80
        hits.append(kick if beat % 4 == 0 else 0.5 * generator.normal(0, 1, len(time)) * np.exp(-decay * time))
    return np.clip(0.5 * np.concatenate(hits), -1, 1)[: round(seconds * RATE)].astype(np.float32)


def noise(seconds: float) -> Samples:
    """White noise, 20 dB below full scale."""
    return np.random.default_rng(3).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def voice(text: str, language: str, folder: Path) -> Samples:
    """What a synthesiser says in a language, e.g. ``de``, with half a second of silence behind it."""
    path = folder / f"{language}.wav"
    subprocess.run(["espeak-ng", "-v", language, "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        spoken = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        rate = file.getframerate()
    return np.concatenate([soxr.resample(spoken, rate, RATE), np.zeros(RATE // 2, np.float32)])
