"""Sounds that are no English speech: music, noise, and voices of other languages."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import soxr

from support.audiofiles import Samples

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


def breathing(seconds: float) -> Samples:
    """Somebody who breathes near the microphone: four seconds in and out, as noise of a throat's frequencies."""
    generator = np.random.default_rng(6)
    time = np.arange(round(seconds * RATE)) / RATE
    spectrum = np.fft.rfft(generator.normal(0, 1, len(time)))
    hertz = np.fft.rfftfreq(len(time), 1 / RATE)
    spectrum *= np.exp(-(((hertz - 600) / 500) ** 2)) + 0.4 * np.exp(-(((hertz - 1700) / 700) ** 2))
    flow = np.clip(np.sin(2 * np.pi * time / 4), 0, 1) + 0.6 * np.clip(-np.sin(2 * np.pi * time / 4 - 0.4), 0, 1)
    noisy = np.fft.irfft(spectrum, len(time))
    return (0.12 * noisy / np.abs(noisy).max() * flow**1.5).astype(np.float32)


def dial_tone(seconds: float) -> Samples:
    """A telephone that waits (350 and 440 Hz), is dialled (two tones a key), and rings (425 Hz), again and again."""
    time = np.arange(RATE) / RATE
    waiting = np.tile(np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time), 5)
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336), (697, 1477), (770, 1209), (852, 1336)]
    key = time[: RATE // 5]
    dialled = [
        np.concatenate([np.sin(2 * np.pi * low * key) + np.sin(2 * np.pi * high * key), np.zeros(RATE // 10)])
        for low, high in keys
    ]
    ringing = np.concatenate([2 * np.sin(2 * np.pi * 425 * time), np.zeros(4 * RATE)])
    call = np.concatenate([waiting, *dialled, ringing, ringing, ringing])
    repeated = np.tile(call, 1 + int(seconds * RATE) // len(call))[: round(seconds * RATE)]
    return (0.15 * repeated).astype(np.float32)


def quiet_room(seconds: float) -> Samples:
    """What a microphone hears where nobody is: noise 74 dB below full scale, and the mains' hum."""
    time = np.arange(round(seconds * RATE)) / RATE
    room = np.random.default_rng(7).normal(0, 2e-4, len(time)) + 3e-4 * np.sin(2 * np.pi * 50 * time)
    return room.astype(np.float32)


def voice(text: str, language: str, folder: Path) -> Samples:
    """What a synthesiser says in a language, e.g. ``de``, with half a second of silence behind it."""
    path = folder / f"{language}.wav"
    subprocess.run(["espeak-ng", "-v", language, "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        spoken = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        rate = file.getframerate()
    return np.concatenate([soxr.resample(spoken, rate, RATE), np.zeros(RATE // 2, np.float32)])
