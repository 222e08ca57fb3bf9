"""What becomes of a result when a stage fails that the task can do without: it lacks something, and says what and why.

A transcript is never lost that way. Whether the task counts as failed for want of the language model is the client's
choice (``llm_required``).
"""

from __future__ import annotations

from dataclasses import replace

from maie.domain import Stage, TaskOptions, TaskResult
from maie.errors import MaieError
from maie.pipeline import table


def without_stage(result: TaskResult, stage: Stage, error: MaieError, options: TaskOptions) -> TaskResult:
    """Return the result without what the stage was to add."""
    warning = f"The {stage.loss} is missing: {error.detail}"
    is_required = options.llm_required and stage.needs == "language_model"
    failure = {"code": error.code, "detail": error.detail} if is_required else None
    return replace(result, warnings=(*result.warnings, warning), error=result.error or failure)


def without_the_rest(result: TaskResult, error: MaieError, options: TaskOptions) -> TaskResult:
    """Return the result without what the stages that have not ended were to add."""
    ended = result.metrics["stage_seconds"]
    for stage in table.asked(options):
        if stage.name not in ended:
            result = without_stage(result, stage, error, options)
    return result
