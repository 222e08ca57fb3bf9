"""How long each stage of a job took, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from maie.domain import Progress, Stage, TaskResult
from maie.stages.work import Report


class StageClock:
    """Times the stages of one job and tells their progress.

    Attributes:
        seconds: What each stage took that has ended, by its name.
    """

    def __init__(self, on_progress: Callable[[Progress], None], before: Mapping[str, Any]) -> None:
        """``before`` is the metrics of what another process did of the job; empty where nothing was."""
        self._on_progress = on_progress
        self._began: float = time.perf_counter() - before.get("processing_time_seconds", 0.0)
        self.seconds: dict[str, float] = dict(before.get("stage_seconds", {}))

    @contextmanager
    def run(self, stage: Stage) -> Iterator[Report]:
        """Time a stage and give it a function to tell its fraction with."""
        started = time.perf_counter()
        self._on_progress(Progress(stage, 0.0))
        try:
            yield lambda fraction: self._on_progress(Progress(stage, round(fraction, 3)))
        finally:
            self.seconds[stage.name] = round(time.perf_counter() - started, 4)
        self._on_progress(Progress(stage, 1.0))

    def tell_length(self, stage: Stage, seconds: float) -> None:
        """Tell how long the audio is, as the stage has found out."""
        self._on_progress(Progress(stage, 1.0, seconds))

    def measured(self, result: TaskResult) -> TaskResult:
        """Return a result with the times until now."""
        took = time.perf_counter() - self._began
        times = {"processing_time_seconds": round(took, 4), "stage_seconds": dict(self.seconds)}
        seconds = result.metrics.get("input_duration_seconds")
        rtf = {} if seconds is None else {"rtf": round(took / seconds, 5)}
        return replace(result, metrics=result.metrics | times | rtf)
