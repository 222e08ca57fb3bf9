"""Voice activity detection: where in the audio somebody speaks, and how that is cut into pieces for recognition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maie.asr.base import MAX_PIECE_SECONDS
from maie.audio.decoded import Audio
from maie.domain import SAMPLE_RATE, Span
from maie.stages.work import Report, Work

WINDOW_SECONDS = 120
"""Audio processed at once, which bounds the memory."""

MAX_PAUSE_SECONDS = 3.0
"""Longer pauses end a chunk: Whisper models invent text in long silences."""

MIN_PAUSE_MS = 160
EDGE_SECONDS = 0.1
"""Speech that ends closer than this to the end of a window goes on in the next one."""

FRAME = SAMPLE_RATE // 50
SILENT_RMS = 0.001
"""Samples whose loudness is looked at together, and up to which they count as silence (60 dB below full scale)."""

SOUND_PAD = 10
LATEST_CUT, EARLIEST_CUT = int(MAX_PIECE_SECONDS * 50), int(MAX_PIECE_SECONDS * 35)
"""In frames: what is added to both sides of a sound, and where one that goes on for longer is cut."""


def run(work: Work, report: Report) -> Work:
    """Find where somebody speaks, or what sounds where the setting ``vad`` is off."""
    find = find_speech if work.settings.vad else find_sound
    speech = tuple(find(work.audio, report))
    return replace(work, speech=speech).adding({"vad_coverage": round(coverage(speech, work.audio.seconds), 4)})


def find_speech(audio: Audio, on_progress: Callable[[float], None]) -> list[Span]:
    """Return the stretches of speech, in order, none longer than 30 s and none overlapping.

    The detector runs on windows of two minutes. Speech that reaches the end of a window is looked at again from its
    start in the next one, so that a window's border cuts nothing.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=MAX_PIECE_SECONDS, min_silence_duration_ms=MIN_PAUSE_MS)
    spans: list[Span] = []
    start = 0
    while start < audio.samples:
        end = min(start + WINDOW_SECONDS * SAMPLE_RATE, audio.samples)
        found = get_speech_timestamps(audio.window(start, end), options)
        next_start = end
        at_border = bool(found) and end - start - found[-1]["end"] < EDGE_SECONDS * SAMPLE_RATE
        if end < audio.samples and at_border and found[-1]["start"] > 0:
            next_start = start + found.pop()["start"]
        spans += [Span((start + f["start"]) / SAMPLE_RATE, (start + f["end"]) / SAMPLE_RATE) for f in found]
        start = next_start
        on_progress(start / audio.samples)
    return spans


def find_sound(audio: Audio, on_progress: Callable[[float], None]) -> list[Span]:
    """Return all stretches that are not silent, for use without the detector.

    The result is like that of :func:`find_speech`; a long sound is cut where it is quietest.
    """
    loudness = np.concatenate([*_loudness(audio, on_progress), np.zeros(1, np.float32)])
    sounding = np.convolve(loudness > SILENT_RMS, np.ones(2 * SOUND_PAD + 1), mode="same") > 0
    borders = np.flatnonzero(np.diff(sounding, prepend=False, append=False))
    spans: list[Span] = []
    for start, end in borders.reshape(-1, 2).tolist():
        while end - start > LATEST_CUT:
            cut = start + EARLIEST_CUT + int(np.argmin(loudness[start + EARLIEST_CUT : start + LATEST_CUT]))
            spans.append(_span(start, cut, audio))
            start = cut
        spans.append(_span(start, end, audio))
    return spans


def _loudness(audio: Audio, on_progress: Callable[[float], None]) -> Iterator[NDArray[np.float32]]:
    """Yield the root mean square of each frame of the audio, window by window; what is no whole frame is left out."""
    step = WINDOW_SECONDS * SAMPLE_RATE
    for start in range(0, audio.samples, step):
        window = audio.window(start, start + step)
        frames = window[: len(window) // FRAME * FRAME].reshape(-1, FRAME)
        yield np.sqrt(np.square(frames).mean(axis=1))
        on_progress(min(1.0, (start + step) / audio.samples))


def _span(first: int, last: int, audio: Audio) -> Span:
    """Return frames as seconds, inside the audio."""
    return Span(first * FRAME / SAMPLE_RATE, min(last * FRAME, audio.samples) / SAMPLE_RATE)


def group(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring stretches of speech into chunks of at most 30 s, cut in pauses only."""
    chunks: list[Span] = []
    for span in spans:
        last = chunks[-1] if chunks else None
        if last and span.end - last.start <= MAX_PIECE_SECONDS and span.start - last.end <= MAX_PAUSE_SECONDS:
            chunks[-1] = Span(last.start, span.end)
        else:
            chunks.append(span)
    return chunks


def coverage(spans: Sequence[Span], seconds: float) -> float:
    """Return the share of the audio that is speech, 0 to 1."""
    return min(1.0, sum(span.end - span.start for span in spans) / seconds)
