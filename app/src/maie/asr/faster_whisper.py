"""Speech recognition with faster-whisper in this process: pieces together in batches, doubtful ones one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from maie.asr.base import MAX_PIECE_SECONDS, Ask, Heard, Samples, compression_ratio, hear_silence
from maie.domain import SAMPLE_RATE, Segment, Word
from maie.errors import ConfigurationError
from maie.logs import get_logger
from maie.modelfiles import asr_languages, model_name, model_sha256
from maie.settings import Settings

SLOT = int(MAX_PIECE_SECONDS) * SAMPLE_RATE
"""Samples from the start of one piece to that of the next in a batch's buffer."""

SLOT_FRAMES = int(MAX_PIECE_SECONDS) * 100
"""The same in feature frames, which is the unit of faster-whisper's ``seek``."""

FALLBACK_TEMPERATURES = (0.0, 0.4, 0.8)
"""Fewer than Whisper's six, so that hopeless audio does not take many times as long as good audio."""

SURE_OF_LANGUAGE = 0.7
TELLING_SECONDS = 3.0
"""A piece changes the language only where the model is as sure of it as this and has as much to hear."""

log = get_logger(__name__)


class FasterWhisper:
    """A loaded Whisper model; it remembers nothing of earlier pieces, so that no error goes on to the next.

    Args:
        whisper: faster-whisper's model.
        pipeline: Its batched pipeline on the same model.
        languages: ISO 639-1 codes that it knows, at least one.
    """

    def __init__(
        self,
        whisper: Any,
        pipeline: Any,
        languages: tuple[str, ...],
        beam_size: int,
        batch_size: int,
        doubt_logprob: float,
        versions: dict[str, Any],
    ) -> None:
        self._whisper = whisper
        self._pipeline = pipeline
        self._beam_size = beam_size
        self.languages = languages
        self.batch_size = batch_size
        self.doubt_logprob = doubt_logprob
        self.versions = versions

    def recognise(self, pieces: Sequence[Samples], ask: Ask) -> list[Heard]:
        """Decode pieces together, those of each language in one batch."""
        languages = self._languages(pieces, ask)
        heard: dict[int, Heard] = {}
        for language in dict.fromkeys(languages):
            places = [place for place, other in enumerate(languages) if other == language]
            found = self._decode([pieces[place] for place in places], language, ask)
            heard.update({place: Heard(tuple(s), language) for place, s in zip(places, found, strict=True)})
        return [heard[place] for place in range(len(pieces))]

    def recognise_again(self, piece: Samples, ask: Ask) -> Heard:
        """Decode one piece with the sequential decoder, which tries higher temperatures and drops silence."""
        log.info("piece is decoded again", seconds=round(len(piece) / SAMPLE_RATE, 1))
        (language,) = self._languages([piece], ask)
        results, _ = self._whisper.transcribe(
            piece,
            language=language,
            beam_size=self._beam_size,
            temperature=FALLBACK_TEMPERATURES,
            condition_on_previous_text=False,
            initial_prompt=ask.prompt,
            word_timestamps=ask.words,
        )
        return Heard(tuple(_segment(result, 0.0) for result in results), language)

    def _languages(self, pieces: Sequence[Samples], ask: Ask) -> list[str]:
        """Return the language of each piece: what was asked for, or what the model hears in it."""
        if ask.language is not None:
            return [ask.language] * len(pieces)
        languages: list[str] = []
        likely = ask.likely
        for piece in pieces:
            found, probability, _ = self._whisper.detect_language(piece)
            sure = probability >= SURE_OF_LANGUAGE and len(piece) >= TELLING_SECONDS * SAMPLE_RATE
            likely = found if likely is None or sure else likely
            languages.append(likely)
        return languages

    def _decode(self, pieces: Sequence[Samples], language: str, ask: Ask) -> list[list[Segment]]:
        """Return the segments of each piece.

        All pieces lie in one buffer, each in a slot of 30 s, so that a segment's ``seek`` tells without doubt whose it
        is.
        """
        buffer = np.zeros(SLOT * len(pieces), dtype=np.float32)
        clips = []
        for place, piece in enumerate(pieces):
            buffer[place * SLOT : place * SLOT + len(piece)] = piece
            start = place * MAX_PIECE_SECONDS
            clips.append({"start": start, "end": start + len(piece) / SAMPLE_RATE})
        results, _ = self._pipeline.transcribe(
            buffer,
            language=language,
            beam_size=self._beam_size,
            batch_size=len(pieces),
            clip_timestamps=clips,
            without_timestamps=False,
            condition_on_previous_text=False,
            initial_prompt=ask.prompt,
            word_timestamps=ask.words,
        )
        found: list[list[Segment]] = [[] for _ in pieces]
        for result in results:
            place = result.seek // SLOT_FRAMES
            found[place].append(_segment(result, -place * MAX_PIECE_SECONDS))
        return found


def _segment(result: Any, offset: float) -> Segment:
    text = result.text.strip()
    return Segment(
        start=float(result.start) + offset,
        end=float(result.end) + offset,
        text=text,
        avg_logprob=result.avg_logprob,
        compression_ratio=compression_ratio(text),
        no_speech_prob=result.no_speech_prob,
        words=None if result.words is None else _words(result.words, offset),
    )


def _words(words: Iterable[Any], offset: float) -> tuple[Word, ...]:
    """Return words with plain numbers; the library's own are NumPy's, which JSON does not take."""
    return tuple(
        Word(float(w.start) + offset, float(w.end) + offset, w.word.strip(), round(float(w.probability), 4))
        for w in words
    )


def load(settings: Settings) -> FasterWhisper:
    """Load the model; nothing is ever fetched from a hub.

    Raises:
        ConfigurationError: There is no such model, or this machine can't run it as it is configured.
        RuntimeError, MemoryError: There is no memory for it at present, or a library is missing.
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
    model = {
        "name": model_name(settings.asr_model),
        "sha256": model_sha256(settings.asr_model),
        "device": settings.asr_device,
        "compute_type": whisper.model.compute_type,
    }
    recogniser = FasterWhisper(
        whisper,
        BatchedInferencePipeline(whisper),
        languages=asr_languages(settings.asr_model) or tuple(whisper.supported_languages),
        beam_size=settings.asr_beam_size,
        batch_size=settings.asr_batch_size,
        doubt_logprob=settings.asr_doubt_logprob,
        versions={
            "faster_whisper": version("faster-whisper"),
            "ctranslate2": version("ctranslate2"),
            "asr_model": model,
        },
    )
    if settings.asr_device == "cuda":
        # CTranslate2 looks for cuBLAS, and the driver compiles for a GPU that the wheel has no code for, only now.
        hear_silence(recogniser)
    return recogniser
