"""Speak the training material once, into one long array, for windows to be cut together from."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing import Pool

import numpy as np
import numpy.typing as npt

from maie_training.corpus import Plan, Recording, plan_meeting, plan_sentence
from maie_training.speech import synthesise
from maie_training.splits import Split

_CUT_RATE = 0.2
_MEETINGS_PER_JOB = 8
_SENTENCES_PER_JOB = 200


@dataclass
class Utterances:
    """Speech and its texts.

    ``samples`` is int16 at 16 kHz; utterance ``i`` has ``lengths[i]`` of them from ``starts[i]`` on
    and says ``texts[i]``. ``runs`` are ranges of whole sentences that follow each other in one
    meeting; ``heads`` and ``tails`` are parts of sentences, up to a comma and from it on.
    """

    samples: npt.NDArray[np.int16]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    texts: list[str]
    runs: list[range] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    kind: str
    seed: int
    first: int
    count: int
    recording: Recording


@dataclass
class _Spoken:
    """What one job made: a list for each run of sentences, and the loose parts."""

    runs: list[list[tuple[str, npt.NDArray[np.int16]]]]
    heads: list[tuple[str, npt.NDArray[np.int16]]]
    tails: list[tuple[str, npt.NDArray[np.int16]]]


def _plans(job: _Job) -> Iterable[Plan]:
    split = Split(sentences="train")
    plan = plan_meeting if job.kind == "meeting" else plan_sentence
    return (plan(job.seed, number, split, job.recording) for number in range(job.first, job.first + job.count))


def _speak(job: _Job) -> _Spoken:
    rng = random.Random(f"{job.seed}/{job.kind}/{job.first}/cuts")
    spoken = _Spoken([], [], [])
    for plan in _plans(job):
        run = []
        for turn in plan.turns:
            voice = plan.voices[turn.speaker]
            for sentence in turn.sentences:
                text = sentence.verbatim

                def say(part: str, voice=voice) -> tuple[str, npt.NDArray[np.int16]]:
                    return part, (synthesise(part, voice) * 32767).astype(np.int16)

                run.append(say(text))
                commas = [place for place, letter in enumerate(text) if letter == ","]
                if commas and rng.random() < _CUT_RATE:
                    comma = rng.choice(commas) + 1
                    spoken.heads.append(say(text[:comma]))
                    spoken.tails.append(say(text[comma:].strip()))
        spoken.runs.append(run)
    return spoken


def _jobs(seed: int, sentences: int, meetings: int) -> list[_Job]:
    recording = Recording(voices="train", filler_rate=0.35)
    sizes = (("meeting", meetings, _MEETINGS_PER_JOB), ("sentence", sentences, _SENTENCES_PER_JOB))
    return [
        _Job(kind, seed, first, min(step, total - first), recording)
        for kind, total, step in sizes
        for first in range(0, total, step)
    ]


def speak(seed: int, sentences: int, meetings: int, processes: int) -> Utterances:
    """Speak ``sentences`` single sentences and ``meetings`` meetings of the training side."""
    pieces: list[npt.NDArray[np.int16]] = []
    texts: list[str] = []
    runs: list[range] = []
    parts: tuple[list[int], list[int]] = ([], [])

    def keep(items: list[tuple[str, npt.NDArray[np.int16]]]) -> range:
        first = len(texts)
        for text, samples in items:
            texts.append(text)
            pieces.append(samples)
        return range(first, len(texts))

    with Pool(processes) as pool:
        for spoken in pool.imap(_speak, _jobs(seed, sentences, meetings)):
            runs.extend(keep(run) for run in spoken.runs)
            parts[0].extend(keep(spoken.heads))
            parts[1].extend(keep(spoken.tails))
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return Utterances(np.concatenate(pieces), starts, lengths, texts, runs, *parts)
