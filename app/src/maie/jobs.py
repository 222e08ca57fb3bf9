"""The function that RQ calls for each attempt at a task.

Its name stands in the queue, which releases share: a task that one of them has queued is done by another after a
deployment or a rollback. So this module stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable

_run: Callable[[str, int], None] | None = None


def bind(run: Callable[[str, int], None]) -> None:
    """Let :func:`run_task` call ``run``, which has the engine: that outlives the single task."""
    global _run
    _run = run


def run_task(task_id: str, attempt: int) -> None:
    """Make one attempt at a task, in a worker process."""
    if _run is None:
        raise RuntimeError("run_task was called outside of a worker process")
    _run(task_id, attempt)
