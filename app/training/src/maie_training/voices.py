"""Voice settings of the eSpeak NG synthesiser, those of training and those that are held out.

Held-out variants (timbres) are never heard in training; their speeds and pitches stay within the
range that training covers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, get_args

VoiceSet = Literal["train", "heldout"]
VOICE_SETS: tuple[VoiceSet, ...] = get_args(VoiceSet)

ACCENTS = (
    "en-us",
    "en-us",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-scotland",
    "en-029",
    "en-us-nyc",
)
VARIANTS: dict[VoiceSet, tuple[str, ...]] = {
    "train": tuple(
        (
            "m1 m2 m3 m4 m6 m8 f1 f2 f4 Alex Andy Annie Diogo Gene Jacky Lee Michael Mike anika "
            "aunty benjamin boris david ed gustave john linda max miguel quincy rob shelby steph "
            "travis victor zac"
        ).split()
    ),
    "heldout": tuple("m5 m7 f3 f5 Andrea Denis Hugo Mario belinda edward norbert robert steph2".split()),
}
SPEEDS = (125, 195)
PITCHES = (25, 75)


@dataclass(frozen=True)
class Voice:
    """One way to speak: eSpeak NG voice name, words a minute, pitch from 0 to 99, gain in dB."""

    name: str
    speed: int
    pitch: int
    gain_db: float


def draw_voice(rng: random.Random, voices: VoiceSet) -> Voice:
    """Return a random voice of one set."""
    return Voice(
        name=f"{rng.choice(ACCENTS)}+{rng.choice(VARIANTS[voices])}",
        speed=rng.randint(*SPEEDS),
        pitch=rng.randint(*PITCHES),
        gain_db=round(rng.uniform(-6.0, 0.0), 1),
    )


def draw_voices(rng: random.Random, voices: VoiceSet, count: int) -> list[Voice]:
    """Return ``count`` voices whose variants all differ, for the people of one meeting."""
    chosen: list[Voice] = []
    while len(chosen) < count:
        voice = draw_voice(rng, voices)
        if all(voice.name.split("+")[1] != other.name.split("+")[1] for other in chosen):
            chosen.append(voice)
    return chosen
