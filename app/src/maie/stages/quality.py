"""Whether a text is what was said: what is recognised again, and what is left out, as Whisper models invent some.

Each guard takes segments in order and returns those that it lets stand, with how many it has objected to. Nothing is
left out silently: :func:`guard` says what, and how often.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from maie.asr.base import compression_ratio
from maie.domain import Segment, Span

MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0
MAX_NO_SPEECH_PROB = 0.6
MAX_UNCOVERED_SECONDS = 1.0
"""Whisper's own limits for a failed decoding, and how much speech may be left without text between two segments."""

PADDING_SECONDS = 0.4
"""The detector's padding at both ends of what it finds."""

LEAST_SPEECH = 0.1
"""Share of a segment's time that must be speech."""

ASTRAY_SECONDS = 0.3
"""How far a word's time may be from where it is said: a short word at the end of a piece has no length."""

LEAST_COVERED = 0.25
SPARSE_FROM_SECONDS = 5.0
"""Least share of a piece's speech that has text when people speak, and the least seconds of speech to judge by."""

LOOP_REPEATS = 4
LOOP_WORDS = 8
"""A loop is a phrase that is repeated at least so often in a row, with so many words in all: people say 'no, no,
no'."""

LONGEST_PHRASE_WORDS = 16
LONGEST_PHRASE_SEGMENTS = 3
"""The longest phrases that are looked for within a segment, and across segments."""

CREDITS = re.compile(
    r"amara\.org[- ](community|gemeenschap)|by the amara\.org|comunidad de amara\.org|comunità amara\.org|"
    r"im auftrag des zdf|ghiền mì gõ|transcript emily beynon|sous-titrage société radio-canada"
)
"""Credits of subtitles, which Whisper has learnt with its training data and writes into silence. Nobody speaks them:
phrases that people do say at the end of a meeting are not in this list on purpose."""

Objections = tuple[list[Segment], int]


def looks_wrong(segments: Sequence[Segment]) -> bool:
    """Whether a piece's text is a loop, or the model is unsure of some of it.

    Decoders that work on several pieces at once have no fallback of their own.
    """
    looped = compression_ratio(" ".join(segment.text for segment in segments)) > MAX_COMPRESSION_RATIO
    return looped or any(_doubtful(segment) for segment in segments)


def has_words(segment: Segment) -> bool:
    """Whether there is more in a segment than punctuation."""
    return any(character.isalnum() for character in segment.text)


def holes(segments: Sequence[Segment], speech: Sequence[Span]) -> list[Span]:
    """Return the stretches before, between and after segments in which somebody speaks and nothing is written.

    Args:
        segments: In order.
        speech: Where somebody speaks, with times as the segments have them.
    """
    ends = accumulate([-math.inf, *(segment.end for segment in segments)], max)
    starts = [*(segment.start for segment in segments), math.inf]
    found = []
    for end, start in zip(ends, starts, strict=True):
        inside = [Span(max(span.start, end), min(span.end, start)) for span in speech]
        inside = [span for span in inside if span.end > span.start]
        if sum(_without_padding(span, end, start) for span in inside) > MAX_UNCOVERED_SECONDS:
            found.append(Span(inside[0].start, inside[-1].end))
    return found


def _without_padding(span: Span, earliest: float, latest: float) -> float:
    """Return the seconds of a stretch of speech between two times, without what the detector added to its ends."""
    padding = PADDING_SECONDS * ((span.start > earliest) + (span.end < latest))
    return max(0.0, span.end - span.start - padding)


def is_sparse(segments: Sequence[Segment], speech: Sequence[Span]) -> bool:
    """Whether there is text for hardly any of the speech: then it may be no speech, and the text invented."""
    spoken = sum(span.end - span.start for span in speech)
    covered = sum(_speech_seconds(segment, speech) for segment in segments)
    return spoken > SPARSE_FROM_SECONDS and covered < LEAST_COVERED * spoken


def evidence(segments: Sequence[Segment], speech: Sequence[Span]) -> float:
    """Return the evidence for a text: the seconds of speech that it covers, weighted by how sure the model is."""
    if compression_ratio(" ".join(segment.text for segment in segments)) > MAX_COMPRESSION_RATIO:
        return 0.0
    return sum(_speech_seconds(segment, speech) * math.exp(segment.avg_logprob or 0.0) for segment in segments)


def _doubtful(segment: Segment) -> bool:
    return _unsure(segment) or segment.compression_ratio > MAX_COMPRESSION_RATIO


def _unsure(segment: Segment) -> bool:
    return segment.avg_logprob is not None and segment.avg_logprob < MIN_AVG_LOGPROB


def without_noise(segments: Sequence[Segment], _: Sequence[Span]) -> Objections:
    """Leave out what the model itself takes for no speech and is unsure of: noise and music."""
    return _without(segments, lambda s: _unsure(s) and (s.no_speech_prob or 0.0) > MAX_NO_SPEECH_PROB)


def without_silence(segments: Sequence[Segment], speech: Sequence[Span]) -> Objections:
    """Leave out text that lies where nobody speaks."""
    around = [Span(span.start - ASTRAY_SECONDS, span.end + ASTRAY_SECONDS) for span in speech]
    return _without(segments, lambda s: _share(s, around) < LEAST_SPEECH)


def without_credits(segments: Sequence[Segment], _: Sequence[Span]) -> Objections:
    """Leave out credits of subtitles."""
    return _without(segments, lambda s: CREDITS.search(s.text.lower()) is not None)


def without_loops(segments: Sequence[Segment], _: Sequence[Span]) -> Objections:
    """Keep only the first of a phrase that is repeated over and over, within a segment and across segments."""
    looped = 0
    kept = []
    for segment in segments:
        words = segment.text.split()
        repeated = _repeated([bare(word) for word in words], [1] * len(words), LONGEST_PHRASE_WORDS)
        looped += bool(repeated)
        kept.append(without_words(segment, repeated) if repeated else segment)
    lengths = [len(segment.text.split()) for segment in kept]
    repeated = _repeated([bare(segment.text) for segment in kept], lengths, LONGEST_PHRASE_SEGMENTS)
    return [s for place, s in enumerate(kept) if place not in repeated], looped + len(repeated)


@dataclass(frozen=True)
class Guard:
    """A guard, and what a client is told of what it did: ``{}`` becomes '1 segment' or '3 segments'."""

    check: Callable[[Sequence[Segment], Sequence[Span]], Objections]
    says: str


GUARDS = (
    Guard(without_noise, "Left out as noise or music"),
    Guard(without_silence, "Left out because nobody speaks there"),
    Guard(without_credits, "Left out as credits of subtitles, which nobody speaks"),
    Guard(without_loops, "Left out, or said once only, because the same was repeated over and over"),
)
"""In the order in which they look at a transcript."""


def guard(
    segments: Sequence[Segment], speech: Sequence[Span], guards: Sequence[Guard] = GUARDS
) -> tuple[list[Segment], tuple[str, ...]]:
    """Return what the guards let stand, and a sentence for each that objected to something."""
    kept, warnings = list(segments), []
    for each in guards:
        kept, objections = each.check(kept, speech)
        if objections:
            warnings.append(f"{each.says}: {objections} {'segment' if objections == 1 else 'segments'}.")
    return kept, tuple(warnings)


def doubts(segments: Sequence[Segment]) -> tuple[str, ...]:
    """Return a sentence when segments that stand still look wrong."""
    count = sum(map(_doubtful, segments))
    return (f"{count} of {len(segments)} segments were recognised with low confidence.",) if count else ()


def confidence(segments: Sequence[Segment]) -> float | None:
    """Return the mean token probability over all segments, weighted by their length; None where nothing tells it."""
    known = [(s.avg_logprob, max(s.end - s.start, 0.01)) for s in segments if s.avg_logprob is not None]
    if not known:
        return None
    total = sum(math.exp(logprob) * weight for logprob, weight in known)
    return round(min(1.0, total / sum(weight for _, weight in known)), 4)


def _without(segments: Sequence[Segment], objected: Callable[[Segment], bool]) -> Objections:
    kept = [segment for segment in segments if not objected(segment)]
    return kept, len(segments) - len(kept)


def _share(segment: Segment, speech: Sequence[Span]) -> float:
    """Return the share of a segment's time that is speech; of one without length, 1 or 0."""
    if segment.end <= segment.start:
        return float(any(span.start <= segment.start <= span.end for span in speech))
    return _speech_seconds(segment, speech) / (segment.end - segment.start)


def _speech_seconds(segment: Segment, speech: Sequence[Span]) -> float:
    return sum(max(0.0, min(segment.end, span.end) - max(segment.start, span.start)) for span in speech)


def bare(text: str) -> str:
    """Return a text's letters and digits in lower case: what loops are compared by."""
    return "".join(c for c in text.lower() if c.isalnum())


def _repeated(units: Sequence[str], words: Sequence[int], longest: int) -> set[int]:
    """Return the places of all units that only repeat the phrase before them.

    Args:
        units: What phrases consist of.
        words: How many words each unit has.
        longest: Units of the longest phrase that is looked for.
    """
    repeated: set[int] = set()
    place = 0
    while place < len(units):
        for length in range(1, longest + 1):
            end = place + length
            while units[end : end + length] == units[place : place + length]:
                end += length
            often = (end - place) // length >= LOOP_REPEATS
            if often and sum(words[place:end]) >= LOOP_WORDS:
                repeated.update(range(place + length, end))
                place = end - 1
                break
        place += 1
    return repeated


def without_words(segment: Segment, places: set[int]) -> Segment:
    """Return a segment without the words of its text that stand at the given places."""
    words = segment.text.split()
    text = " ".join(word for place, word in enumerate(words) if place not in places)
    owner = [place for place, word in enumerate(words) for _ in word]
    timed, offset = [], 0
    for word in segment.words or ():
        if offset < len(owner) and owner[offset] not in places:
            timed.append(word)
        offset += len("".join(word.text.split()))
    return replace(
        segment,
        text=text,
        compression_ratio=compression_ratio(text),
        words=None if segment.words is None else tuple(timed),
    )
