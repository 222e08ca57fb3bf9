"""The function that RQ calls for each attempt at a task.

Its name is stored in the queue, which releases share: after a deployment or a rollback, one release does the tasks that
another has queued. So this module stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable

_run: Callable[[str, int], None] | None = None


def bind(run: Callable[[str, int], None]) -> None:
    """Make :func:`run_task` call ``run``, which has the engine: that outlives a task."""
    global _run
    _run = run


def run_task(task_id: str, attempt: int) -> None:
    """Make one attempt at a task, in a worker process."""
    if _run is None:
        raise RuntimeError("run_task was called outside of a worker process")
    _run(task_id, attempt)
