"""``maie-samples``: have the talks spoken by natural voices, each with its reference."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from maie_training import audio
from maie_training.kokoro import Kokoro
from maie_training.speech import SAMPLE_RATE, Samples, SpeechError
from maie_training.talk import Talk, read_talk

FORMATS = {"natural-short": ".wav", "natural-meeting": ".wav", "natural-meeting-10min": ".opus"}
"""The samples by name, and how their files end."""

_ROOM_SECONDS = 0.5
_ROOM_DBFS = -60.0
_GAPS = (0.2, 0.6)
_OPUS_BITS = 24_000


def speak(talk: Talk, kokoro: Kokoro) -> tuple[Samples, dict[str, Any]]:
    """Return a talk as it sounds in a quiet room, and its reference."""
    rng = random.Random(talk.seed)
    position = round(_ROOM_SECONDS * SAMPLE_RATE)
    pieces: list[tuple[int, Samples]] = []
    turns = []
    for number, turn in enumerate(talk.turns):
        chance = round(rng.uniform(*_GAPS), 2)
        if number:
            position += round((chance if turn.gap is None else turn.gap) * SAMPLE_RATE)
        spoken = kokoro.speak(turn.spoken, talk.speakers[turn.who])
        pieces.append((position, spoken))
        start, position = position, position + len(spoken)
        turns.append(
            {
                "speaker": turn.who,
                "start": round(start / SAMPLE_RATE, 2),
                "end": round(position / SAMPLE_RATE, 2),
                "verbatim": turn.verbatim,
                "clean": turn.clean,
            }
        )
        print(f"{talk.name}: {turns[-1]['end']:.1f} s", file=sys.stderr)
    samples = audio.place(pieces, position + round(_ROOM_SECONDS * SAMPLE_RATE))
    room = audio.noise(len(samples), np.random.default_rng(talk.seed)) * 10 ** (_ROOM_DBFS / 20)
    return np.asarray(samples + room, dtype=np.float32), _reference(talk, turns, len(samples) / SAMPLE_RATE)


def _reference(talk: Talk, turns: list[dict[str, Any]], duration: float) -> dict[str, Any]:
    return {
        "id": talk.name,
        "kind": talk.kind,
        "duration": round(duration, 2),
        "language": "en",
        "seed": talk.seed,
        "speakers": [{"id": person, **asdict(speaker)} for person, speaker in talk.speakers.items()],
        "turns": turns,
        "verbatim": " ".join(turn["verbatim"] for turn in turns),
        "clean": " ".join(turn["clean"] for turn in turns),
        "notes": talk.notes,
        "notes_without_speakers": talk.notes_without_speakers,
        "noise": {"kind": "pink", "dbfs": _ROOM_DBFS},
    }


def rttm(reference: dict[str, Any]) -> str:
    """Return a sample's speaker turns in the NIST RTTM format, one line a turn."""
    return "".join(
        f"SPEAKER {reference['id']} 1 {turn['start']:.2f} {turn['end'] - turn['start']:.2f} "
        f"<NA> <NA> {turn['speaker']} <NA> <NA>\n"
        for turn in reference["turns"]
    )


def write_opus(path: Path, samples: Samples) -> None:
    """Write mono Ogg Opus; the same samples give the same bytes."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").reshape(1, -1)
    # Without this flag the stream gets a random number.
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono", bit_rate=_OPUS_BITS)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
        for given in (frame, None):
            container.mux(stream.encode(given))


def write_sample(samples: Samples, reference: dict[str, Any], folder: Path) -> None:
    """Write ``<id>.wav`` or ``<id>.opus``, ``<id>.json`` and ``<id>.rttm``."""
    path = folder / f"{reference['id']}{FORMATS[reference['id']]}"
    (write_opus if path.suffix == ".opus" else audio.write_wav)(path, samples)
    text = json.dumps(reference, indent=2, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    path.with_suffix(".rttm").write_text(rttm(reference), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return 0, or 2 when the synthesiser is missing or fails."""
    parser = argparse.ArgumentParser(prog="maie-samples", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(FORMATS), help="which of them; all of them if none is named")
    parser.add_argument("--models", type=Path, required=True, help="folder that kokoro.yml fetched the voices to")
    parser.add_argument("--out", type=Path, required=True, help="folder for the samples")
    parser.add_argument("--kept", type=Path, help="folder that keeps spoken turns for the next run")
    arguments = parser.parse_args(argv)
    try:
        talks = [read_talk(name) for name in arguments.names]
        voices = {speaker.voice for talk in talks for speaker in talk.speakers.values()}
        kokoro = Kokoro(arguments.models, voices, arguments.kept)
        for talk in talks:
            samples, reference = speak(talk, kokoro)
            write_sample(samples, reference, arguments.out)
    except SpeechError as error:
        print(f"maie-samples: {error}", file=sys.stderr)
        return 2
    return 0
