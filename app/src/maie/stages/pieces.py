"""Pieces are recognised, and again where the first attempt left something out or is unsure; the better one wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from maie.asr.base import Recogniser, Recognition, RecognitionRequest, Samples
from maie.domain import SAMPLE_RATE, Segment, Span
from maie.stages import quality


@dataclass(frozen=True)
class PieceResult:
    """What came of one piece.

    Attributes:
        prompt_failed: Whether the client's prompt cost words, and so was left out.
    """

    recognition: Recognition
    prompt_failed: bool = False


def recognise_pieces(
    pieces: Sequence[Samples],
    speech: Sequence[Sequence[Span]],
    recogniser: Recogniser,
    request: RecognitionRequest,
    detected: bool = True,
) -> Iterator[PieceResult]:
    """Recognise pieces together, and alone what looks wrong; yields what came of each as soon as it is settled.

    Args:
        pieces: At most as many as the engine takes at a time.
        speech: Where somebody speaks in each, in seconds from its start.
        recogniser: The engine.
        request: How they are to be recognised.
        detected: Whether a detector has found the speech; else it is all that sounds, which need have no text.
    """
    first = map(_with_words, recogniser.recognise(pieces, request))
    for each in zip(pieces, speech, first, strict=True):
        yield _settle(*each, recogniser, request, detected)


def _settle(
    piece: Samples,
    speech: Sequence[Span],
    recognition: Recognition,
    recogniser: Recogniser,
    request: RecognitionRequest,
    detected: bool,
) -> PieceResult:
    """Return the best recognition of a piece, after as many attempts as it needs."""
    prompt_failed = False
    plain = replace(request, prompt=None, likely=recognition.language)
    if request.prompt and _is_suspicious(recognition, speech):
        without = _with_words(recogniser.recognise([piece], plain)[0])
        best = better(recognition, without, speech)
        prompt_failed, recognition = best is without, best
    if not recognition.segments or quality.looks_wrong(recognition.segments):
        recognition = better(recognition, _with_words(recogniser.recognise_again(piece, plain)), speech)
    for hole in quality.holes(recognition.segments, speech) if recognition.segments and detected else ():
        found = _found(piece, hole, recogniser, plain)
        if not _is_echo(found, recognition.segments, hole):
            new = _without_echoes(found, recognition.segments, hole)
            recognition = replace(recognition, segments=_filled(recognition.segments, new))
    return PieceResult(recognition, prompt_failed)


def better(first: Recognition, second: Recognition, speech: Sequence[Span]) -> Recognition:
    """Return the recognition that has more evidence for it; the first where nothing speaks for the second."""
    return second if quality.evidence(second.segments, speech) > quality.evidence(first.segments, speech) else first


def _is_suspicious(recognition: Recognition, speech: Sequence[Span]) -> bool:
    return quality.looks_wrong(recognition.segments) or bool(quality.holes(recognition.segments, speech))


def _found(piece: Samples, hole: Span, recogniser: Recogniser, request: RecognitionRequest) -> list[Segment]:
    """Return what is said in a stretch that the first attempt has no text for, as far as the engine is sure of it."""
    part = piece[round(hole.start * SAMPLE_RATE) : round(hole.end * SAMPLE_RATE)]
    again = _with_words(recogniser.recognise_again(part, request)).segments
    return [] if quality.looks_wrong(again) else [_moved(segment, hole) for segment in again]


def _with_words(recognition: Recognition) -> Recognition:
    """Return a recognition without segments that are nothing but punctuation, such as "...": they are no text."""
    return replace(recognition, segments=tuple(filter(quality.has_words, recognition.segments)))


def _is_echo(found: Sequence[Segment], around: Sequence[Segment], hole: Span) -> bool:
    """Whether a stretch's text only repeats how the text before it ends or the text after it begins.

    Then nothing was missing there: a word's time was too short, as that of a long number can be.
    """
    text, (before, behind) = _words(found), map(_words, _around(hole, around))
    ends_number = len(text) == 1 and text[0].isdigit() and before[-1:] and before[-1].endswith(text[0])
    return bool(ends_number) or text in (before[-len(text) :], behind[: len(text)])


def _without_echoes(found: Sequence[Segment], around: Sequence[Segment], hole: Span) -> list[Segment]:
    """Return the text found in a stretch without the words at its edges that its neighbours already have.

    A stretch begins where the word before it ends by its time. Where that time is too early, the stretch contains the
    word, or several; likewise at its end. After a pause it contains none, and a repeated word was really said twice.
    """
    before, behind = _around(hole, around)
    front = back = 0
    if before and max(hole.start - before[-1].end, found[0].start - hole.start) <= quality.ASTRAY_SECONDS:
        front = _overlap(_words(before), _words(found))
    if behind and max(behind[0].start - hole.end, hole.end - found[-1].end) <= quality.ASTRAY_SECONDS:
        back = _overlap(_words(found), _words(behind))
    places = [
        (n, place) for n, s in enumerate(found) for place, word in enumerate(s.text.split()) if quality.bare(word)
    ]
    echoes = {*places[:front], *places[len(places) - back :]}
    kept = [_without(segment, {place for which, place in echoes if which == n}) for n, segment in enumerate(found)]
    return [segment for segment in kept if quality.has_words(segment)]


def _without(segment: Segment, places: set[int]) -> Segment:
    """Return a segment without some of its words, and with the times of those that are left, where they have any."""
    left = quality.without_words(segment, places) if places else segment
    return replace(left, start=left.words[0].start, end=left.words[-1].end) if places and left.words else left


def _around(hole: Span, segments: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Return the segments before a stretch without text, and those behind it."""
    return [s for s in segments if s.start < hole.start], [s for s in segments if s.start >= hole.start]


def _words(segments: Sequence[Segment]) -> list[str]:
    """Return the words of segments, as they are compared."""
    return [bare for segment in segments for word in segment.text.split() if (bare := quality.bare(word))]


def _overlap(first: Sequence[str], second: Sequence[str]) -> int:
    """Return with how many words, at most, the first text ends and the second begins."""
    most = min(len(first), len(second))
    return next((count for count in range(most, 0, -1) if first[-count:] == second[:count]), 0)


def _moved(segment: Segment, hole: Span) -> Segment:
    """Return a segment of a stretch with the times of its piece, and inside the stretch."""
    words = segment.words
    if words is not None:
        words = tuple(replace(word, start=hole.start + word.start, end=hole.start + word.end) for word in words)
    start = min(hole.start + segment.start, hole.end)
    return replace(segment, start=start, end=min(max(hole.start + segment.end, start), hole.end), words=words)


def _filled(segments: Sequence[Segment], found: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted([*segments, *found], key=lambda segment: segment.start))
