"""Speech recognition with faster-whisper: chunks of speech become segments of text with times."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maie.domain import SAMPLE_RATE, Segment, Span, Transcript
from maie.errors import ConfigurationError, NotAvailable
from maie.logs import get_logger
from maie.settings import Settings
from maie.stages.decode import Audio
from maie.stages.vad import CHUNK_SECONDS

log = get_logger(__name__)

SLOT = int(CHUNK_SECONDS) * SAMPLE_RATE
"""Samples from the start of one chunk to that of the next in a batch's buffer."""

SLOT_FRAMES = int(CHUNK_SECONDS) * 100
"""The same in feature frames, which is the unit of faster-whisper's ``seek``."""

MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0
MAX_UNCOVERED_SECONDS = 2.5
"""Whisper's own limits for a failed decoding, and how much of a chunk's end may be left without text."""

FALLBACK_TEMPERATURES = (0.0, 0.4, 0.8)
"""Fewer than Whisper's six, so that hopeless audio does not take many times as long as good audio."""


@dataclass
class AsrModel:
    """A loaded model and how it is used.

    Attributes:
        languages: ISO 639-1 codes that the model knows.
        compute_type: What CTranslate2 really computes with.
    """

    whisper: Any
    pipeline: Any
    languages: tuple[str, ...]
    compute_type: str
    beam_size: int
    batch_size: int


def load(settings: Settings) -> AsrModel:
    """Load the model; nothing is ever fetched from a hub.

    Raises:
        ConfigurationError: There is no such model, or this machine can't run it as it is configured.
    """
    import ctranslate2
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.transcribe import tqdm

    tqdm.set_lock(threading.RLock())  # its own lock is a named semaphore, which outlives a killed process
    if not (settings.asr_model / "model.bin").is_file():
        raise ConfigurationError(f"MAIE_ASR_MODEL: there is no model in {settings.asr_model}.")
    if settings.asr_device == "cuda" and ctranslate2.get_cuda_device_count() == 0:
        raise ConfigurationError("MAIE_ASR_DEVICE is cuda, but CTranslate2 finds no CUDA device.")
    try:
        whisper = WhisperModel(
            str(settings.asr_model),
            device=settings.asr_device,
            compute_type=settings.asr_compute_type,
            cpu_threads=settings.asr_threads,
            local_files_only=True,
        )
    except ValueError as error:
        raise ConfigurationError(f"The ASR model can't be loaded: {error}") from error
    return AsrModel(
        whisper=whisper,
        pipeline=BatchedInferencePipeline(whisper),
        languages=tuple(whisper.supported_languages),
        compute_type=whisper.model.compute_type,
        beam_size=settings.asr_beam_size,
        batch_size=settings.asr_batch_size,
    )


def transcribe(
    audio: Audio,
    chunks: Sequence[Span],
    model: AsrModel,
    language: str | None,
    on_progress: Callable[[float], None],
) -> Transcript:
    """Recognise the chunks, batch by batch, so that memory does not grow with the length of the audio.

    Args:
        audio: What the chunks are cut from.
        chunks: Stretches of at most 30 s, in order.
        model: What :func:`load` returned.
        language: ISO 639-1 code; None lets the model decide from the first batch.
        on_progress: Told the fraction done after each batch.

    Returns:
        Segments in order, with times from the start of the audio; empty when there are no chunks.

    Raises:
        NotAvailable: The model does not know the language.
    """
    if language is not None and language not in model.languages:
        raise NotAvailable(f"The language {language!r} is not available in this deployment.")
    if language is None and len(model.languages) == 1:
        language = model.languages[0]
    segments: list[Segment] = []
    for first in range(0, len(chunks), model.batch_size):
        batch = chunks[first : first + model.batch_size]
        pieces = [audio.window(round(c.start * SAMPLE_RATE), round(c.end * SAMPLE_RATE))[:SLOT] for c in batch]
        found, language = _recognise(pieces, model, language)
        for chunk, piece, texts in zip(batch, pieces, found, strict=True):
            if _failed(texts, len(piece) / SAMPLE_RATE):
                texts = _recognise_again(piece, model, language)
            _append(segments, texts, chunk)
        on_progress((first + len(batch)) / len(chunks))
    return Transcript(language or "", tuple(segments))


def _recognise(
    pieces: Sequence[np.ndarray[Any, Any]], model: AsrModel, language: str | None
) -> tuple[list[list[Segment]], str]:
    """Decode pieces together; return the segments of each, with times from the piece's start, and the language.

    All pieces lie in one buffer, each in a slot of 30 s, so that a segment's ``seek`` tells without doubt whose it is.
    """
    buffer = np.zeros(SLOT * len(pieces), dtype=np.float32)
    clips = []
    for index, piece in enumerate(pieces):
        buffer[index * SLOT : index * SLOT + len(piece)] = piece
        clips.append({"start": index * CHUNK_SECONDS, "end": index * CHUNK_SECONDS + len(piece) / SAMPLE_RATE})
    results, info = model.pipeline.transcribe(
        buffer,
        language=language,
        beam_size=model.beam_size,
        batch_size=len(pieces),
        clip_timestamps=clips,
        without_timestamps=False,
        condition_on_previous_text=False,
    )
    found: list[list[Segment]] = [[] for _ in pieces]
    for result in results:
        index = result.seek // SLOT_FRAMES
        found[index].append(_segment(result, -index * CHUNK_SECONDS))
    return found, info.language


def _failed(segments: Sequence[Segment], seconds: float) -> bool:
    """Whether a chunk's text looks wrong: a loop, low confidence, or no text for its last seconds.

    The batched decoder has no fallback of its own, and drops what follows the last pair of timestamps.
    """
    if not segments:
        return True
    doubtful = any(s.compression_ratio > MAX_COMPRESSION_RATIO or s.avg_logprob < MIN_AVG_LOGPROB for s in segments)
    return doubtful or seconds - segments[-1].end > MAX_UNCOVERED_SECONDS


def _recognise_again(piece: np.ndarray[Any, Any], model: AsrModel, language: str) -> list[Segment]:
    """Decode one piece with the sequential decoder, which tries higher temperatures and drops silence."""
    log.info("chunk is decoded again", seconds=round(len(piece) / SAMPLE_RATE, 1))
    results, _ = model.whisper.transcribe(
        piece,
        language=language,
        beam_size=model.beam_size,
        temperature=FALLBACK_TEMPERATURES,
        condition_on_previous_text=False,
    )
    return [_segment(result, 0.0) for result in results]


def _segment(result: Any, offset: float) -> Segment:
    return Segment(
        start=result.start + offset,
        end=result.end + offset,
        text=result.text.strip(),
        avg_logprob=result.avg_logprob,
        compression_ratio=result.compression_ratio,
        no_speech_prob=result.no_speech_prob,
    )


def _append(segments: list[Segment], texts: Iterable[Segment], chunk: Span) -> None:
    """Add a chunk's segments with absolute times, each starting where the one before ended or later."""
    for text in texts:
        if not text.text:
            continue
        earliest = segments[-1].end if segments else 0.0
        start = min(max(chunk.start + text.start, earliest), chunk.end)
        end = min(max(chunk.start + text.end, start), chunk.end)
        segments.append(replace(text, start=round(start, 3), end=round(end, 3)))
