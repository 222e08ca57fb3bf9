"""The stages of the pipeline, one row each, in their order.

Whoever must know something of a stage reads it here: the pipeline, the API's offer, the partial results, the engine
process, the time limits, the memory plan and the metrics. Nothing heavy is imported before a stage runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from maie.domain import Need, Stage, StageCounter, TaskKind, TaskOptions, TaskStatus

if TYPE_CHECKING:
    from maie.stages.work import Report, Work

DECODE = Stage(
    "decode",
    TaskStatus.PREPROCESSING,
    works_on="audio",
    counters=(StageCounter("audio_seconds", "Seconds of audio processed.", "input_duration_seconds"),),
)
VAD = Stage("vad", TaskStatus.PREPROCESSING, works_on="audio")
ASR = Stage("asr", TaskStatus.PROCESSING_ASR, works_on="audio", features=("raw_transcript",), needs="speech_model")
CLEAN = Stage(
    "clean",
    TaskStatus.PROCESSING_LLM,
    works_on="words",
    features=("clean_transcript", "enhancement_metrics"),
    needs="language_model",
    loss="clean transcript",
)
SUMMARY = Stage(
    "summary",
    TaskStatus.PROCESSING_LLM,
    works_on="words",
    features=("summary",),
    needs="language_model",
    loss="summary",
)

STAGES = (DECODE, VAD, ASR, CLEAN, SUMMARY)


def asked(options: TaskOptions, needs: Need | None = None) -> tuple[Stage, ...]:
    """Return the stages that run only because the features ask for them; with ``needs``, those that need just that."""
    return tuple(
        stage
        for stage in STAGES
        if stage.loss is not None
        and not set(stage.features).isdisjoint(options.features)
        and needs in (None, stage.needs)
    )


def planned(kind: TaskKind, options: TaskOptions) -> tuple[Stage, ...]:
    """Return all the stages that run for a task."""
    wanted = asked(options)
    return tuple(
        stage
        for stage in STAGES
        if (stage.loss is None or stage in wanted) and (kind == "audio" or stage.works_on == "words")
    )


def features(kind: TaskKind = "audio", needs: Need | None = None) -> tuple[str, ...]:
    """Return what can be asked for of a kind of task; with ``needs``, what needs just that."""
    return tuple(
        feature
        for stage in STAGES
        if (kind == "audio" or stage.works_on == "words") and needs in (None, stage.needs)
        for feature in stage.features
    )


def without(options: TaskOptions, needs: Need) -> TaskOptions:
    """Return the options without the features that need one of the models."""
    left_out = features(needs=needs)
    return replace(options, features=tuple(feature for feature in options.features if feature not in left_out))


def function(stage: Stage) -> Callable[[Work, Report], Work]:
    """Return what does the work of a stage; its module is imported here."""
    run: Callable[[Work, Report], Work] = import_module(f"maie.stages.{stage.name}").run
    return run


def counters() -> Iterator[StageCounter]:
    """Yield what is summed over all tasks."""
    for stage in STAGES:
        yield from stage.counters


def counted(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return what a result with these metrics adds to the counters, by their names."""
    return {counter.name: metrics[counter.metric] for counter in counters() if counter.metric in metrics}
