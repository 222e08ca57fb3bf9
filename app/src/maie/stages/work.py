"""What the stages of a task pass on: their input, and the result so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maie.asr.base import Recogniser
from maie.audio.decoded import Audio
from maie.domain import EngineJob, Span, TaskResult, Transcript, Turn
from maie.errors import NotAvailable
from maie.llm.base import LanguageModel
from maie.models.catalogue import Prompts
from maie.prompting.template import Template
from maie.settings import Settings

Report = Callable[[float], None]
"""Told the fraction of a stage that is done, 0 to 1."""


@dataclass(frozen=True)
class Models:
    """All that is loaded once, for every task.

    Attributes:
        asr: None in a process that only works for the language model.
        llm: None where the deployment has no language model.
        versions: What is loaded, as results tell it.
        prompts: How the language model is asked.
    """

    asr: Recogniser | None
    llm: LanguageModel | None
    templates: Mapping[str, Template]
    versions: dict[str, Any]
    prompts: Prompts = "whole"


@dataclass(frozen=True)
class Work:
    """A task on its way from one stage to the next.

    Attributes:
        result: What it has come to.
        turns: Its words, once they are known.
        speech: Where somebody speaks, once that is known.
    """

    job: EngineJob
    models: Models
    settings: Settings
    result: TaskResult
    turns: tuple[Turn, ...] = ()
    decoded: Audio | None = None
    speech: tuple[Span, ...] = ()

    @property
    def audio(self) -> Audio:
        """The decoded audio; there is some for every stage that works on audio, but the first."""
        if self.decoded is None:
            raise LookupError("nothing has been decoded")
        return self.decoded

    @property
    def speech_model(self) -> Recogniser:
        """The speech model; raises NotAvailable where there is none."""
        if self.models.asr is None:
            raise NotAvailable("This process has no speech model.")
        return self.models.asr

    @property
    def language_model(self) -> LanguageModel:
        """The language model; raises NotAvailable where there is none."""
        if self.models.llm is None:
            raise NotAvailable("This deployment has no language model.")
        return self.models.llm

    def adding(self, metrics: Mapping[str, Any] | None = None, warnings: tuple[str, ...] = (), **results: Any) -> Work:
        """Return the work with what a stage adds to the result."""
        metrics = self.result.metrics | dict(metrics or {})
        warnings = (*self.result.warnings, *warnings)
        return replace(self, result=replace(self.result, metrics=metrics, warnings=warnings, **results))


def turns_of(transcript: Transcript) -> tuple[Turn, ...]:
    """Return a transcript as turns of unknown speakers."""
    return tuple(Turn(None, segment.text) for segment in transcript.segments)
