"""The pipeline: which stages run on a task's audio, in which order, and how long each took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from maie.domain import EngineJob, Progress, Stage, TaskResult, Transcript
from maie.modelfiles import model_name, model_sha256
from maie.settings import Settings
from maie.stages import asr, decode, vad

OnProgress = Callable[[Progress], None]


@dataclass
class Models:
    """All that is loaded once and kept; ``versions`` says what it is."""

    asr: asr.AsrModel
    versions: dict[str, Any]


def load_models(settings: Settings) -> Models:
    """Load what the stages need.

    Raises:
        ConfigurationError: A model is missing, or this machine can't run it as it is configured.
    """
    model = asr.load(settings)
    versions = {
        "pipeline": version("maie"),
        "faster_whisper": version("faster-whisper"),
        "ctranslate2": version("ctranslate2"),
        "asr_model": {
            "name": model_name(settings.asr_model),
            "sha256": model_sha256(settings.asr_model),
            "device": settings.asr_device,
            "compute_type": model.compute_type,
        },
    }
    return Models(model, versions)


def run(job: EngineJob, models: Models, settings: Settings, on_progress: OnProgress) -> TaskResult:
    """Run all stages on one task's audio.

    Raises:
        MaieError: See :func:`maie.stages.decode.decode` and :func:`maie.stages.asr.transcribe`.
    """
    seconds: dict[str, float] = {}
    begun = time.perf_counter()

    @contextmanager
    def stage(which: Stage) -> Iterator[Callable[[float], None]]:
        """Time a stage and give it a function to report its fraction with."""
        started = time.perf_counter()
        on_progress(Progress(which, 0.0))
        yield lambda fraction: on_progress(Progress(which, round(fraction, 3)))
        seconds[which.value] = round(time.perf_counter() - started, 4)
        on_progress(Progress(which, 1.0))

    with stage(Stage.DECODE) as report:
        audio = decode.decode(job.audio_path, settings.max_audio_seconds, report)
    with audio:
        with stage(Stage.VAD) as report:
            speech = vad.find_speech(audio, report)
            chunks = vad.group(speech)
        with stage(Stage.ASR) as report:
            transcript = asr.transcribe(audio, chunks, models.asr, job.options.language, report)
    took = time.perf_counter() - begun
    metrics = {
        "input_duration_seconds": round(audio.seconds, 3),
        "processing_time_seconds": round(took, 4),
        "rtf": round(took / audio.seconds, 5),
        "vad_coverage": round(vad.coverage(speech, audio.seconds), 4),
        "asr_confidence_avg": _confidence(transcript),
        "stage_seconds": seconds,
    }
    warnings = audio.warnings if speech else (*audio.warnings, "No speech was found in the audio.")
    return TaskResult(transcript, metrics, models.versions, warnings + _doubts(transcript))


def _confidence(transcript: Transcript) -> float | None:
    """Return the mean token probability over all segments, weighted by their length, or None without text."""
    weights = [max(s.end - s.start, 0.01) for s in transcript.segments]
    if not weights:
        return None
    total = sum(math.exp(s.avg_logprob) * w for s, w in zip(transcript.segments, weights, strict=True))
    return round(min(1.0, total / sum(weights)), 4)


def _doubts(transcript: Transcript) -> tuple[str, ...]:
    """Return a sentence when segments still look wrong after the second decoding."""
    doubtful = sum(
        s.compression_ratio > asr.MAX_COMPRESSION_RATIO or s.avg_logprob < asr.MIN_AVG_LOGPROB
        for s in transcript.segments
    )
    if not doubtful:
        return ()
    return (f"{doubtful} of {len(transcript.segments)} segments were recognised with low confidence.",)
