"""Speech recognition with faster-whisper in this process: pieces together in batches, doubtful ones one by one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from maie.asr.base import (
    MAX_PIECE_SECONDS,
    Recognition,
    RecognitionRequest,
    Samples,
    compression_ratio,
    recognise_silence,
)
from maie.asr.timing import Timed, in_segments, plausible
from maie.domain import SAMPLE_RATE, Segment, Word
from maie.errors import ConfigurationError
from maie.logs import get_logger
from maie.models.files import asr_languages, model_name, model_sha256
from maie.settings import Settings

FRAMES = 100
SLOT_FRAMES = int(MAX_PIECE_SECONDS) * FRAMES
"""Feature frames in a second, and in the longest piece."""

SHORTEST_FRAMES = 2
"""The encoder makes one state of two frames."""

MAX_PROMPT_TOKENS = 150
"""Of the 448 tokens that the decoder has for prompt and text; see ``docs/api.md``."""

BETWEEN_WORDS = re.compile(r"[\s,;、，；]+")
LONGEST_CUT_WORD = 30
"""Letters at the end of a cut prompt that may be dropped to end between words; some scripts have no spaces."""

BEFORE_WORDS = "\"'“¿([{-"
AFTER_WORDS = "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word after it, and to the word before it."""

FALLBACK_TEMPERATURES = (0.0, 0.4, 0.8)
"""Fewer than Whisper's six, so that hopeless audio does not take many times as long."""

SURE_OF_LANGUAGE = 0.7
TELLING_SECONDS = 3.0
"""Least probability, and least seconds of speech, for a piece to change the language."""

log = get_logger(__name__)


class FasterWhisper:
    """A loaded Whisper model. It is not conditioned on earlier pieces, so that no error carries over.

    Args:
        whisper: faster-whisper's model.
        languages: ISO 639-1 codes that it knows, at least one.
    """

    def __init__(
        self,
        whisper: Any,
        languages: tuple[str, ...],
        beam_size: int,
        batch_size: int,
        versions: dict[str, Any],
    ) -> None:
        self._whisper = whisper
        self._tokenizers: dict[str, Any] = {}
        self._beam_size = beam_size
        self.languages = languages
        self.batch_size = batch_size
        self.versions = versions

    def recognise(self, pieces: Sequence[Samples], request: RecognitionRequest) -> list[Recognition]:
        """Decode pieces together; one pass of the encoder serves the text, the language and the times of words.

        The text is decoded without timestamps, and its words get their times afterwards from the decoder's attention:
        with timestamps, Whisper drops a sentence that seems to go on after the end of the piece.
        """
        from faster_whisper.transcribe import get_suppressed_tokens, pad_or_trim

        features = [pad_or_trim(self._whisper.feature_extractor(piece)[..., :-1]) for piece in pieces]
        encoded = self._whisper.encode(np.stack(features))
        languages = self._languages(encoded, pieces, request)
        tokenizers = {language: self._tokenizer(language) for language in languages}
        previous = self._prompt_tokens(request.prompt) if request.prompt else []
        results = self._whisper.model.generate(
            encoded,
            [self._whisper.get_prompt(tokenizers[code], previous, without_timestamps=True) for code in languages],
            beam_size=self._beam_size,
            max_length=self._whisper.max_length,
            suppress_tokens=get_suppressed_tokens(tokenizers[languages[0]], [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = [[t for t in result.sequences_ids[0] if t < tokenizers[languages[0]].eot] for result in results]
        words = self._timed(encoded, texts, [len(piece) / SAMPLE_RATE for piece in pieces], languages)
        return [
            Recognition(tuple(_segments(timed, result, request.words)), language)
            for timed, result, language in zip(words, results, languages, strict=True)
        ]

    def recognise_again(self, piece: Samples, request: RecognitionRequest) -> Recognition:
        """Decode one piece with the sequential decoder, which tries higher temperatures and drops silence."""
        log.info("piece is decoded again", seconds=round(len(piece) / SAMPLE_RATE, 1))
        results, about = self._whisper.transcribe(
            piece,
            language=request.language or request.likely,
            beam_size=self._beam_size,
            temperature=FALLBACK_TEMPERATURES,
            condition_on_previous_text=False,
            initial_prompt=request.prompt,
            word_timestamps=request.words,
        )
        return Recognition(tuple(_segment(result) for result in results), about.language)

    def fitting(self, prompt: str) -> str:
        """Return as much of the prompt's beginning as leaves the decoder its room, cut between words."""
        encoding = self._whisper.hf_tokenizer.encode(f" {prompt.strip()}", add_special_tokens=False)
        if len(encoding.ids) <= MAX_PROMPT_TOKENS:
            return prompt
        cut = prompt.strip()[: max(0, encoding.offsets[MAX_PROMPT_TOKENS][0] - 1)]
        borders = [found.start() for found in BETWEEN_WORDS.finditer(cut, max(0, len(cut) - LONGEST_CUT_WORD))]
        return cut[: borders[-1]] if borders else cut

    def _prompt_tokens(self, prompt: str) -> list[int]:
        return list(self._whisper.hf_tokenizer.encode(f" {prompt.strip()}", add_special_tokens=False).ids)

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if language not in self._tokenizers:
            multilingual = self._whisper.model.is_multilingual
            self._tokenizers[language] = Tokenizer(self._whisper.hf_tokenizer, multilingual, "transcribe", language)
        return self._tokenizers[language]

    def _languages(self, encoded: Any, pieces: Sequence[Samples], request: RecognitionRequest) -> list[str]:
        """Return the language of each piece: what was asked for, or what the model takes it for."""
        if request.language is not None or not self._whisper.model.is_multilingual:
            return [request.language or self.languages[0]] * len(pieces)
        languages: list[str] = []
        likely = request.likely
        for piece, (found, probability) in zip(pieces, self._detected(encoded), strict=True):
            sure = probability >= SURE_OF_LANGUAGE and len(piece) >= TELLING_SECONDS * SAMPLE_RATE
            likely = found if likely is None or sure else likely
            languages.append(likely)
        return languages

    def _detected(self, encoded: Any) -> list[tuple[str, float]]:
        """Return the likeliest language of each piece with its probability."""
        return [(found[0][0][2:-2], found[0][1]) for found in self._whisper.model.detect_language(encoded)]

    def _timed(
        self, encoded: Any, texts: list[list[int]], seconds: Sequence[float], languages: Sequence[str]
    ) -> list[list[Timed]]:
        """Return the words of each piece with their times; what a word is depends on the language."""
        frames = [max(SHORTEST_FRAMES, min(round(length * FRAMES), SLOT_FRAMES)) for length in seconds]
        found: dict[str, Any] = {
            language: self._whisper.find_alignment(self._tokenizer(language), texts, encoded, frames)
            for language in dict.fromkeys(languages)
        }
        return [_words(found[language][place]) for place, language in enumerate(languages)]


def _words(alignment: list[dict[str, Any]]) -> list[Timed]:
    """Return an alignment's words, each with its punctuation, as plain values: the library's own are NumPy's."""
    from faster_whisper.transcribe import merge_punctuations

    merge_punctuations(alignment, BEFORE_WORDS, AFTER_WORDS)
    words = [
        Timed(w["word"], max(0.0, float(w["start"])), max(0.0, float(w["end"])), float(w["probability"]))
        for w in alignment
    ]
    return plausible([word for word in words if word.text.strip()])


def _segments(words: Iterable[Timed], result: Any, with_words: bool) -> Iterable[Segment]:
    length = len(result.sequences_ids[0])
    for group in in_segments(words):
        text = "".join(word.text for word in group).strip()
        timed = tuple(Word(w.start, w.end, w.text.strip(), round(w.probability, 4)) for w in group)
        yield Segment(
            start=group[0].start,
            end=group[-1].end,
            text=text,
            avg_logprob=result.scores[0] * length / (length + 1),
            compression_ratio=compression_ratio(text),
            no_speech_prob=result.no_speech_prob,
            words=timed if with_words else None,
        )


def _segment(result: Any) -> Segment:
    """Return a segment of the sequential decoder's."""
    text = result.text.strip()
    words = None
    if result.words is not None:
        words = tuple(
            Word(float(w.start), float(w.end), w.word.strip(), round(float(w.probability), 4)) for w in result.words
        )
    return Segment(
        start=float(result.start),
        end=float(result.end),
        text=text,
        avg_logprob=result.avg_logprob,
        compression_ratio=compression_ratio(text),
        no_speech_prob=result.no_speech_prob,
        words=words,
    )


def _has_alignment_heads(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("alignment_heads"))
    except (OSError, ValueError, AttributeError):
        return False


def load(settings: Settings) -> FasterWhisper:
    """Load the model; nothing is ever fetched from a hub.

    Raises:
        ConfigurationError: There is no such model, or this machine can't run it as it is configured.
        RuntimeError, MemoryError: There is no memory for it at present, or a library is missing.
    """
    import ctranslate2
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import tqdm

    tqdm.set_lock(threading.RLock())  # tqdm's own lock is a named semaphore, which outlives a killed process
    for name in ("model.bin", "tokenizer.json"):  # otherwise the library downloads it from a hub
        if not (settings.asr_model / name).is_file():
            raise ConfigurationError(f"MAIE_ASR_MODEL: there is no model in {settings.asr_model}: {name} is missing.")
    if not _has_alignment_heads(settings.asr_model):
        raise ConfigurationError(
            f"MAIE_ASR_MODEL: config.json in {settings.asr_model} names no alignment_heads, which tell the times of "
            "words; convert the model anew with a converter of today."
        )
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
        languages=asr_languages(settings.asr_model) or tuple(whisper.supported_languages),
        beam_size=settings.asr_beam_size,
        batch_size=settings.asr_batch_size,
        versions={
            "faster_whisper": version("faster-whisper"),
            "ctranslate2": version("ctranslate2"),
            "asr_model": model,
        },
    )
    if settings.asr_device == "cuda":
        # Only now does CTranslate2 load cuBLAS, and the driver compile for a GPU that the wheel has no code for.
        recognise_silence(recogniser)
    return recogniser
