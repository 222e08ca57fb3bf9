"""The pipeline: takes a task through its stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

from maie import asr, llm
from maie.domain import EngineJob, Progress, Stage, TaskResult
from maie.errors import MaieError
from maie.models.catalogue import prompts_of
from maie.pipeline import table
from maie.pipeline.clock import StageClock
from maie.pipeline.partial_results import without_stage
from maie.prompting.template_set import load_templates
from maie.settings import Settings
from maie.stages.work import Models, Work, turns_of
from maie.tasks.files import read_turns

OnProgress = Callable[[Progress], None]
OnInterim = Callable[[TaskResult], None]


def load_models(settings: Settings, speech: bool = True) -> Models:
    """Load what the stages need, their code included, so that no task waits for it.

    Args:
        settings: Which models, and where they run.
        speech: Whether the speech model is needed, and with it the stages that work on audio.

    Raises:
        ConfigurationError: A model or template is missing or wrong, or this machine can't run it as it is configured.
    """
    for stage in table.STAGES:
        if speech or stage.works_on == "words":
            table.function(stage)
    recogniser = asr.load(settings) if speech else None
    versions = {"pipeline": version("maie"), **(recogniser.versions if recogniser else {})}
    if settings.llm_backend == "none":
        return Models(recogniser, None, {}, versions)
    language_model = llm.load(settings)
    prompts = prompts_of(settings)
    versions["llm"] = {**language_model.versions, "prompts": prompts}
    return Models(recogniser, language_model, load_templates(settings.templates_dir), versions, prompts)


def run(
    job: EngineJob, models: Models, settings: Settings, on_progress: OnProgress, on_interim: OnInterim
) -> TaskResult:
    """Run all stages that a task asks for, but for those that another process has run.

    Args:
        job: What to work on.
        models: What :func:`load_models` returned.
        settings: Limits of the audio.
        on_progress: Told of each stage and its fraction.
        on_interim: Told the result so far before each stage that the task can do without, for this process may not
            live to its end.

    Raises:
        MaieError: What a stage raised that the task can't do without. What goes wrong in another stage stands in the
            result.
    """
    clock = StageClock(on_progress, job.begun.metrics if job.begun else {})
    work = _begin(job, models, settings, clock)
    left = [stage for stage in table.planned(job.kind, job.options) if stage.name not in clock.seconds]
    work = _run_on_audio([stage for stage in left if stage.works_on == "audio"], work, clock, on_interim)
    on_words = [stage for stage in left if stage.works_on == "words"]
    if not work.turns and any(stage.needs == "language_model" for stage in on_words):
        on_words = [stage for stage in on_words if stage.needs != "language_model"]
        work = work.adding(warnings=("There are no words for the language model to work on.",))
    for stage in on_words:
        work = _run_stage(stage, work, clock, on_interim)
    return work.result


def _begin(job: EngineJob, models: Models, settings: Settings, clock: StageClock) -> Work:
    """Return what there is before the first stage: nothing, a text, or what another process has made of the audio."""
    if job.kind == "text":
        turns = tuple(read_turns(job.source))
        words = sum(len(turn.text.split()) for turn in turns)
        result = clock.measured(TaskResult(None, {"input_words": words}, models.versions))
        return Work(job, models, settings, result, turns)
    if job.begun is None:
        return Work(job, models, settings, TaskResult(None, {}, models.versions))
    result = replace(job.begun, versions=job.begun.versions | models.versions)
    return Work(job, models, settings, result, turns_of(result.transcript) if result.transcript else ())


def _run_on_audio(stages: list[Stage], work: Work, clock: StageClock, on_interim: OnInterim) -> Work:
    """Run the stages that work on the audio, and give back the room that it took."""
    try:
        for stage in stages:
            was_decoded = work.decoded is not None
            work = _run_stage(stage, work, clock, on_interim)
            if work.decoded is not None and not was_decoded:
                clock.tell_length(stage, work.decoded.seconds)
    finally:
        if work.decoded is not None:
            work.decoded.close()
    return replace(work, decoded=None)


def _run_stage(stage: Stage, work: Work, clock: StageClock, on_interim: OnInterim) -> Work:
    """Return the work with what one stage adds, or with the reason why it adds nothing."""
    if stage.loss is not None:
        on_interim(work.result)
    try:
        with clock.run(stage) as report:
            work = table.function(stage)(work, report)
    except MaieError as error:
        if stage.loss is None:
            raise
        work = replace(work, result=without_stage(work.result, stage, error, work.job.options))
    return replace(work, result=clock.measured(work.result))
