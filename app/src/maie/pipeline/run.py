"""The pipeline: which stages run on a task's audio or text, in which order, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from maie import llm
from maie.asr import Recogniser, load
from maie.domain import EngineJob, Progress, Stage, TaskResult, Turn
from maie.errors import MaieError, NotAvailable, UnknownTemplate
from maie.llm.base import LanguageModel
from maie.pipeline.partial_results import without_stage
from maie.prompting.prompts import (
    CLEAN_TRANSCRIPT,
    Template,
)
from maie.prompting.template_set import load_templates
from maie.settings import Settings
from maie.stages import asr, clean, decode, quality, summary, vad
from maie.tasks.files import read_turns

OnProgress = Callable[[Progress], None]
OnResult = Callable[[TaskResult], None]
Report = Callable[[float], None]


@dataclass
class Models:
    """All that is loaded once and kept; ``versions`` says what it is.

    Attributes:
        asr: None in a process that only works for the language model.
        llm: None where the deployment has no language model.
    """

    asr: Recogniser | None
    llm: LanguageModel | None
    templates: Mapping[str, Template]
    versions: dict[str, Any]


class Stages:
    """Times the stages of one job and reports their progress."""

    def __init__(self, on_progress: OnProgress, before: Mapping[str, Any]) -> None:
        """``before`` is the metrics of what another process did of the job; empty where nothing was."""
        self._on_progress = on_progress
        self._began: float = time.perf_counter() - before.get("processing_time_seconds", 0.0)
        self.seconds: dict[str, float] = dict(before.get("stage_seconds", {}))

    @property
    def took(self) -> float:
        """Seconds since the job began."""
        return time.perf_counter() - self._began

    @contextmanager
    def run(self, which: Stage) -> Iterator[Report]:
        """Time a stage and give it a function to report its fraction with."""
        started = time.perf_counter()
        self._on_progress(Progress(which, 0.0))
        try:
            yield lambda fraction: self._on_progress(Progress(which, round(fraction, 3)))
        finally:
            self.seconds[which.value] = round(time.perf_counter() - started, 4)
        self._on_progress(Progress(which, 1.0))

    def tell_length(self, seconds: float) -> None:
        """Tell how long the audio is."""
        self._on_progress(Progress(Stage.DECODE, 1.0, seconds))


def load_models(settings: Settings, hears: bool = True) -> Models:
    """Load what the stages need.

    Args:
        settings: Which models, and where they run.
        hears: Whether the speech model is needed.

    Raises:
        ConfigurationError: A model or template is missing or wrong, or this machine can't run it as it is configured.
    """
    recogniser = load(settings) if hears else None
    versions = {"pipeline": version("maie"), **(recogniser.versions if recogniser else {})}
    if settings.llm_backend == "none":
        return Models(recogniser, None, {}, versions)
    language_model = llm.load(settings)
    versions["llm"] = language_model.versions
    return Models(recogniser, language_model, load_templates(settings.templates_dir), versions)


def run(job: EngineJob, models: Models, settings: Settings, on_progress: OnProgress, on_result: OnResult) -> TaskResult:
    """Run all stages that a task asks for.

    Args:
        job: What to work on.
        models: What :func:`load_models` returned.
        settings: Limits of the audio.
        on_progress: Told of each stage and its fraction.
        on_result: Told what there is already whenever more stages follow, for this process may not live to their end.

    Raises:
        MaieError: See :func:`maie.stages.decode.decode` and :func:`maie.stages.asr.transcribe`. What the language model
            does wrong is no error: it stands in the result.
    """
    stages = Stages(on_progress, job.begun.metrics if job.begun else {})
    if job.kind == "text":
        turns = read_turns(job.source)
        result = _of_text(turns, models, stages)
    else:
        result = _transcribe(job, models, settings, stages) if job.begun is None else _go_on(job.begun, models)
        turns = [Turn(None, segment.text) for segment in result.transcript.segments] if result.transcript else []
    asked = job.options.llm_stages
    if asked and not turns:
        return replace(result, warnings=(*result.warnings, "There are no words for the language model to work on."))
    for which in asked:
        on_result(result)
        result = _measured(_with_stage(which, result, turns, job, models, stages), stages)
    return result


def _go_on(begun: TaskResult, models: Models) -> TaskResult:
    """Return what another process has made of the audio, with the versions of this one too."""
    return replace(begun, versions=begun.versions | models.versions)


def _transcribe(job: EngineJob, models: Models, settings: Settings, stages: Stages) -> TaskResult:
    """Turn audio into a transcript."""
    if models.asr is None:
        raise NotAvailable("This process has no speech model.")
    with stages.run(Stage.DECODE) as report:
        audio = decode.decode(job.source, settings.max_audio_seconds, report, job.options.track)
    with audio:
        stages.tell_length(audio.seconds)
        with stages.run(Stage.VAD) as report:
            speech = vad.find_speech(audio, report) if settings.vad else vad.find_sound(audio, report)
        with stages.run(Stage.ASR) as report:
            found = asr.transcribe(audio, speech, models.asr, job.options, report, settings.vad)
    metrics = {
        "input_duration_seconds": round(audio.seconds, 6),
        "vad_coverage": round(vad.coverage(speech, audio.seconds), 4),
        "asr_confidence_avg": quality.confidence(found.transcript.segments),
    }
    warnings = audio.warnings + found.warnings
    return _measured(TaskResult(found.transcript, metrics, models.versions, warnings), stages)


def _of_text(turns: Sequence[Turn], models: Models, stages: Stages) -> TaskResult:
    words = sum(len(turn.text.split()) for turn in turns)
    return _measured(TaskResult(None, {"input_words": words}, models.versions), stages)


def _with_stage(
    which: Stage, result: TaskResult, turns: Sequence[Turn], job: EngineJob, models: Models, stages: Stages
) -> TaskResult:
    """Return the result with what one stage of the language model adds, or with the reason why it adds nothing."""
    try:
        with stages.run(which) as report:
            if models.llm is None:
                raise NotAvailable("This deployment has no language model.")
            if which is Stage.CLEAN:
                return _cleaned(result, turns, job, models, models.llm, report)
            template = models.templates.get(job.options.template_id or "")
            if template is None:
                raise UnknownTemplate(f"There is no template {job.options.template_id!r} any more.")
            found = summary.summarise(turns, models.llm, template, report)
            return replace(result, summary=found, warnings=(*result.warnings, *found.warnings))
    except MaieError as error:
        return without_stage(result, which, error, job.options)


def _cleaned(
    result: TaskResult, turns: Sequence[Turn], job: EngineJob, models: Models, model: LanguageModel, report: Report
) -> TaskResult:
    language = job.options.language if result.transcript is None else result.transcript.language
    found = clean.clean(turns, model, models.templates[CLEAN_TRANSCRIPT], report, language)
    metrics = result.metrics
    if "enhancement_metrics" in job.options.features:
        metrics = metrics | {"edit_rate_cleaning": found.edit_rate, "lines_left_raw": found.fallbacks}
    return replace(result, clean=found, metrics=metrics, warnings=(*result.warnings, *found.warnings))


def _measured(result: TaskResult, stages: Stages) -> TaskResult:
    """Return the result with the times until now."""
    took = stages.took
    times = {"processing_time_seconds": round(took, 4), "stage_seconds": dict(stages.seconds)}
    seconds = result.metrics.get("input_duration_seconds")
    rtf = {} if seconds is None else {"rtf": round(took / seconds, 5)}
    return replace(result, metrics=result.metrics | times | rtf)
