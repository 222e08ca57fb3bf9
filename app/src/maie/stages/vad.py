"""Voice activity detection: where in the audio somebody speaks, and how that is cut into pieces for recognition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maie.domain import SAMPLE_RATE, Span
from maie.stages.decode import Audio

WINDOW_SECONDS = 120
"""Audio looked at in one go; bounds the memory, whatever the length of the whole."""

CHUNK_SECONDS = 30.0
"""The longest piece that a Whisper model hears at once."""

MAX_PAUSE_SECONDS = 3.0
"""Longer pauses end a chunk: Whisper models invent text in long silences."""

MIN_PAUSE_MS = 160
EDGE_SECONDS = 0.1
"""Speech that ends closer than this to the end of a window goes on in the next one."""


def find_speech(audio: Audio, on_progress: Callable[[float], None]) -> list[Span]:
    """Return the stretches of speech, in order, none longer than 30 s and none overlapping.

    The detector runs on windows of two minutes. Speech that reaches the end of a window is looked at again from its
    start in the next one, so that a window's border cuts nothing.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=CHUNK_SECONDS, min_silence_duration_ms=MIN_PAUSE_MS)
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


def group(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring stretches of speech into chunks of at most 30 s, cut in pauses only."""
    chunks: list[Span] = []
    for span in spans:
        last = chunks[-1] if chunks else None
        if last and span.end - last.start <= CHUNK_SECONDS and span.start - last.end <= MAX_PAUSE_SECONDS:
            chunks[-1] = Span(last.start, span.end)
        else:
            chunks.append(span)
    return chunks


def coverage(spans: Sequence[Span], seconds: float) -> float:
    """Return the share of the audio that is speech, 0 to 1."""
    return min(1.0, sum(span.end - span.start for span in spans) / seconds)
