"""Speech recognition: stretches of speech become text with times; what looks wrong is recognised again, or left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from maie.asr.base import MAX_PIECE_SECONDS, Recogniser, RecognitionRequest, Samples
from maie.audio.decoded import Audio
from maie.domain import SAMPLE_RATE, Segment, Span, TaskOptions, Transcript, Word
from maie.errors import NotAvailable
from maie.prompting.marks import without_marks
from maie.stages import quality, vad
from maie.stages.pieces import PieceResult, recognise_pieces
from maie.stages.work import Report, Work, turns_of

FAILED_PROMPTS = 3
"""The client's prompt is dropped once it has cost words in so many chunks, and in most of those so far."""


@dataclass(frozen=True)
class Transcription:
    """What the stage found.

    Attributes:
        warnings: Sentences for the client about what is missing or doubtful.
    """

    transcript: Transcript
    warnings: tuple[str, ...]


@dataclass
class _Findings:
    """What has come of the chunks so far."""

    segments: list[Segment]
    languages: dict[str, float]
    wordless: list[float]
    """Seconds of each chunk in which no words were found."""
    sparse: list[float]
    """Seconds of each chunk in which hardly any of the speech became words."""
    unprompted: int = 0
    """Chunks in which the client's prompt cost words."""
    gave_up: bool = False
    """Whether the prompt was dropped for all later chunks."""

    def add(self, result: PieceResult, chunk: Span, speech: Sequence[Span]) -> None:
        """Take what was recognised in one chunk, in which somebody speaks at these times."""
        recognition = result.recognition
        self.unprompted += result.prompt_failed
        seconds = chunk.end - chunk.start
        before = len(self.segments)
        _append(self.segments, recognition.segments, chunk)
        if len(self.segments) == before:
            self.wordless.append(seconds)
        else:
            if quality.is_sparse(recognition.segments, speech):
                self.sparse.append(seconds)
            self.languages[recognition.language] = self.languages.get(recognition.language, 0.0) + seconds


def run(work: Work, report: Report) -> Work:
    """Recognise what is said in the task's audio."""
    found = transcribe(work.audio, work.speech, work.speech_model, work.job.options, report, work.settings.vad)
    metrics = {"asr_confidence_avg": quality.confidence(found.transcript.segments)}
    work = replace(work, turns=turns_of(found.transcript))
    return work.adding(metrics, found.warnings, transcript=found.transcript)


def transcribe(
    audio: Audio,
    speech: Sequence[Span],
    recogniser: Recogniser,
    options: TaskOptions,
    on_progress: Callable[[float], None],
    detected: bool = True,
) -> Transcription:
    """Recognise speech in chunks, batch by batch, so that memory does not grow with the length of the audio.

    Args:
        audio: What the chunks are cut from.
        speech: Where somebody speaks: stretches of at most 30 s, in order.
        recogniser: The engine.
        options: Language, words to expect, and whether words get times.
        on_progress: Told the share of the speech that is done, after each chunk.
        detected: Whether a detector has found the speech; else it is all that sounds, some of which may rightly have no
            text.

    Returns:
        Segments in order, with times from the start of the audio; empty when there is no speech.

    Raises:
        NotAvailable: The engine does not know the language.
        MaieError: The engine can't answer.
    """
    request, shortened = _request(options, recogniser)
    chunks = vad.group(speech)
    found = _Findings([], {}, [], [])
    total = sum(chunk.end - chunk.start for chunk in chunks)
    done = 0.0
    for first in range(0, len(chunks), recogniser.batch_size):
        batch = chunks[first : first + recogniser.batch_size]
        pieces = [_piece(audio, chunk) for chunk in batch]
        spoken = [_inside(chunk, speech) for chunk in batch]
        for chunk, speaking, result in zip(
            batch, spoken, recognise_pieces(pieces, spoken, recogniser, request, detected), strict=True
        ):
            found.add(result, chunk, speaking)
            request = replace(request, likely=result.recognition.language)
            done += chunk.end - chunk.start
            on_progress(done / total)
        if found.unprompted >= FAILED_PROMPTS and found.unprompted > (first + len(batch)) / 2:
            found.gave_up, request = True, replace(request, prompt=None)
    warnings = [*shortened, *(_told(found, chunks) if speech else [_nobody(audio)])]
    segments, objections = quality.guard(found.segments, speech)
    longest = max(found.languages, key=lambda code: found.languages[code], default=request.likely or "")
    doubts = quality.doubts(segments)
    return Transcription(Transcript(request.language or longest, tuple(segments)), (*warnings, *objections, *doubts))


def _request(options: TaskOptions, recogniser: Recogniser) -> tuple[RecognitionRequest, list[str]]:
    """Return the request for all pieces, with the client's prompt freed of control tokens.

    With it come sentences for the client about what of the prompt had to go.
    """
    known = recogniser.languages
    language = known[0] if options.language is None and len(known) == 1 else options.language
    if language is not None and known and language not in known:
        raise NotAvailable(f"The language {language!r} is not available in this deployment.")
    prompt = without_marks(options.initial_prompt or "")
    cut = recogniser.fitting(prompt) if prompt else ""
    request = RecognitionRequest(language, None, cut or None, options.word_timestamps)
    if len(cut) == len(prompt):
        return request, []
    warning = f"The initial_prompt was cut to its first {len(cut)} characters: with a longer one, speech would be lost."
    return request, [warning]


def _inside(chunk: Span, speech: Sequence[Span]) -> list[Span]:
    """Return where somebody speaks in a chunk, in seconds from its start."""
    inside = (span for span in speech if chunk.start <= span.start < chunk.end)
    return [Span(span.start - chunk.start, span.end - chunk.start) for span in inside]


def _piece(audio: Audio, chunk: Span) -> Samples:
    start = round(chunk.start * SAMPLE_RATE)
    return audio.window(start, min(round(chunk.end * SAMPLE_RATE), start + round(MAX_PIECE_SECONDS * SAMPLE_RATE)))


def _nobody(audio: Audio) -> str:
    """Return a sentence on audio in which nobody speaks."""
    if audio.loudest_db == -math.inf:
        return "No speech was found in the audio, which is nothing but digital silence."
    return f"No speech was found in the audio, the loudest parts of which are at {audio.loudest_db:.0f} dBFS."


def _told(found: _Findings, chunks: Sequence[Span]) -> list[str]:
    """Return warnings about what was not found or not expected."""
    warnings = []
    if len(found.languages) > 1:
        parts = ", ".join(f"{code} {seconds:.0f} s" for code, seconds in found.languages.items())
        warnings.append(f"More than one language was heard: {parts}.")
    for what, lengths in (("No words", found.wordless), ("Hardly any words", found.sparse)):
        if lengths:
            count, seconds = len(lengths), sum(lengths)
            warnings.append(
                f"{what} were recognised in {count} of {len(chunks)} stretches of speech ({seconds:.0f} s)."
            )
    if found.unprompted:
        warnings.append(
            f"The initial_prompt cost words in {found.unprompted} of {len(chunks)} stretches of speech, "
            f"which were heard without it{', and so were all after them' if found.gave_up else ''}."
        )
    return warnings


def _append(segments: list[Segment], texts: Iterable[Segment], chunk: Span) -> None:
    """Add a chunk's segments with absolute times, each starting where the one before ended or later."""
    for text in texts:
        earliest = segments[-1].end if segments else 0.0
        start = min(max(chunk.start + text.start, earliest), chunk.end)
        end = min(max(chunk.start + text.end, start), chunk.end)
        words = None if text.words is None else tuple(_placed(text.words, chunk.start, start, end))
        segments.append(replace(text, start=round(start, 3), end=round(end, 3), words=words))


def _placed(words: Iterable[Word], offset: float, start: float, end: float) -> Iterable[Word]:
    """Yield a segment's words with absolute times inside of it, none starting before the one before has ended."""
    for word in words:
        first = min(max(offset + word.start, start), end)
        start = min(max(offset + word.end, first), end)
        yield replace(word, start=round(first, 3), end=round(start, 3))
