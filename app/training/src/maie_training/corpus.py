"""Build corpus items: speech on a time line, and the reference that says all that is in it."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maie_training import audio
from maie_training.audio import NoiseKind
from maie_training.llm.views import view_meeting
from maie_training.meetings import Meeting, MeetingComposer, Turn, Wording
from maie_training.notes import Notes
from maie_training.sentences import Writer
from maie_training.speech import SAMPLE_RATE, Samples, synthesise
from maie_training.splits import Split
from maie_training.voices import Voice, VoiceSet, draw_voices

_ROOM_SECONDS = 0.5


@dataclass(frozen=True)
class Recording:
    """How speech is recorded: which voices speak, how often they stumble, in how much noise.

    ``snr_db`` None means no noise; ``filler_rate`` is the share of sentences with a disfluency;
    ``wording`` holds for meetings only.
    """

    voices: VoiceSet = "train"
    filler_rate: float = 0.3
    snr_db: float | None = None
    noise: NoiseKind = "white"
    topics: tuple[int, int] = (2, 4)
    wording: Wording = field(default_factory=Wording)


@dataclass(frozen=True)
class Plan:
    """All of an item but its sound: what is said, by whom, in which voice, after which pause."""

    item_id: str
    kind: str
    seed: int
    turns: list[Turn]
    voices: dict[str, Voice]
    gaps: list[float]
    meeting: Meeting | None
    recording: Recording
    split: Split

    @property
    def notes(self) -> Notes | None:
        """The notes of a meeting; a single sentence has none."""
        return self.meeting.notes if self.meeting else None


@dataclass(frozen=True)
class Item:
    """A finished item; ``reference`` is the content of its ``reference.json``."""

    samples: Samples
    reference: dict[str, Any]


def _generator(seed: int, item_id: str) -> random.Random:
    """Return a generator of its own for each item, so that one item depends on no other."""
    return random.Random(f"{seed}/{item_id}")


def plan_sentence(seed: int, number: int, split: Split, recording: Recording) -> Plan:
    """Decide the content of the ``number``-th single sentence of a seed."""
    item_id = f"sentence-{seed}-{number:05d}"
    rng = _generator(seed, item_id)
    sentence = Writer(rng, split, recording.filler_rate).single()
    voices = {"Speaker": draw_voices(rng, recording.voices, 1)[0]}
    turns = [Turn("Speaker", [sentence])]
    return Plan(item_id, "sentence", seed, turns, voices, [0.0], None, recording, split)


def plan_meeting(seed: int, number: int, split: Split, recording: Recording) -> Plan:
    """Decide the content of the ``number``-th meeting of a seed."""
    item_id = f"meeting-{seed}-{number:05d}"
    rng = _generator(seed, item_id)
    meeting = MeetingComposer(rng, split, recording.filler_rate, recording.topics, recording.wording).compose()
    people = meeting.notes.participants
    voices = dict(zip(people, draw_voices(rng, recording.voices, len(people)), strict=True))
    gaps = [
        round(rng.uniform(0.3, 1.2) if place == 0 else rng.uniform(0.15, 0.6), 2)
        for turn in meeting.turns
        for place in range(len(turn.sentences))
    ]
    return Plan(item_id, "meeting", seed, meeting.turns, voices, gaps, meeting, recording, split)


def render(plan: Plan) -> Item:
    """Speak a plan. Raises SpeechError when the synthesiser fails."""
    position = round(_ROOM_SECONDS * SAMPLE_RATE)
    gaps = iter(plan.gaps)
    pieces: list[tuple[int, Samples]] = []
    turns = []
    for turn in plan.turns:
        start = None
        for sentence in turn.sentences:
            position += round(next(gaps) * SAMPLE_RATE)
            start = position if start is None else start
            spoken = synthesise(sentence.verbatim, plan.voices[turn.speaker])
            pieces.append((position, spoken))
            position += len(spoken)
        turns.append(
            {
                "speaker": turn.speaker,
                "start": round((start or 0) / SAMPLE_RATE, 2),
                "end": round(position / SAMPLE_RATE, 2),
                "verbatim": " ".join(sentence.verbatim for sentence in turn.sentences),
                "clean": " ".join(sentence.clean for sentence in turn.sentences),
            }
        )
    samples = audio.place(pieces, position + round(_ROOM_SECONDS * SAMPLE_RATE))
    samples = _with_noise(samples, pieces, plan)
    return Item(samples, _reference(plan, turns, len(samples) / SAMPLE_RATE))


def _with_noise(samples: Samples, pieces: list[tuple[int, Samples]], plan: Plan) -> Samples:
    recording = plan.recording
    if recording.snr_db is None:
        return samples
    power = float(np.mean(np.square(np.concatenate([piece for _, piece in pieces]))))
    generator = np.random.default_rng(_generator(plan.seed, plan.item_id).getrandbits(64))
    return audio.add_noise(samples, recording.noise, recording.snr_db, power, generator)


def _reference(plan: Plan, turns: list[dict[str, Any]], duration: float) -> dict[str, Any]:
    recording = plan.recording
    noisy = recording.snr_db is not None
    wording = {"wording": asdict(recording.wording)} if recording.wording != Wording() else {}
    return {
        "id": plan.item_id,
        "kind": plan.kind,
        "duration": round(duration, 2),
        "language": "en",
        "seed": plan.seed,
        "speakers": [
            {
                "id": person,
                "voice": voice.name,
                "speed": voice.speed,
                "pitch": voice.pitch,
                "gain_db": voice.gain_db,
            }
            for person, voice in plan.voices.items()
        ],
        "turns": turns,
        "verbatim": " ".join(turn["verbatim"] for turn in turns),
        "clean": " ".join(turn["clean"] for turn in turns),
        "notes": asdict(plan.notes) if plan.notes else None,
        "notes_without_speakers": _notes_without_speakers(plan),
        "voice_set": recording.voices,
        "filler_rate": recording.filler_rate,
        "noise": {"kind": recording.noise, "snr_db": recording.snr_db} if noisy else None,
        "split": asdict(plan.split),
        **wording,
    }


def _notes_without_speakers(plan: Plan) -> dict[str, Any] | None:
    """Return what the words alone tell, where nobody knows who speaks: whose a task is, only if that is said."""
    if plan.meeting is None:
        return None
    return asdict(view_meeting(plan.meeting, random.Random(0), "none").notes)


def rttm(reference: dict[str, Any]) -> str:
    """Return the item's speaker turns in the NIST RTTM format, one line a turn."""
    return "".join(
        f"SPEAKER {reference['id']} 1 {turn['start']:.2f} {turn['end'] - turn['start']:.2f} "
        f"<NA> <NA> {turn['speaker']} <NA> <NA>\n"
        for turn in reference["turns"]
    )


def write_item(item: Item, folder: Path) -> None:
    """Write ``audio.wav``, ``reference.json`` and ``speakers.rttm`` into ``folder/<id>/``."""
    target = folder / str(item.reference["id"])
    target.mkdir(parents=True, exist_ok=True)
    audio.write_wav(target / "audio.wav", item.samples)
    text = json.dumps(item.reference, indent=2, ensure_ascii=False)
    (target / "reference.json").write_text(text + "\n", encoding="utf-8")
    (target / "speakers.rttm").write_text(rttm(item.reference), encoding="utf-8")
