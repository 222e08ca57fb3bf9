"""What becomes of a result when the language model fails: it lacks something, and says what and why.

A transcript is never lost that way. Whether the task counts as failed is the client's choice (``llm_required``).
"""

from __future__ import annotations

from dataclasses import replace

from maie.domain import Stage, TaskOptions, TaskResult
from maie.errors import MaieError

_NAMES = {Stage.CLEAN: "clean transcript", Stage.SUMMARY: "summary"}


def without_stage(result: TaskResult, which: Stage, error: MaieError, options: TaskOptions) -> TaskResult:
    """Return the result without what the stage ``which`` was to add."""
    warning = f"The {_NAMES[which]} is missing: {error.detail}"
    failure = {"code": error.code, "detail": error.detail} if options.llm_required else None
    return replace(result, warnings=(*result.warnings, warning), error=result.error or failure)


def without_the_rest(result: TaskResult, error: MaieError, options: TaskOptions) -> TaskResult:
    """Return the result without what the stages that have not ended were to add."""
    ended = set(result.metrics["stage_seconds"])
    for which in options.llm_stages:
        if which.value not in ended:
            result = without_stage(result, which, error, options)
    return result
