"""The names of all that the service keeps in Redis. RQ's own keys start with ``rq:``, ours with ``maie:``."""

from __future__ import annotations

ACTIVE = "maie:active"
"""Sorted set of the tasks that are not final, by the time of their acceptance."""

TASKS = "maie:tasks"
"""Sorted set of all tasks, by the time of their acceptance."""

ENDED = "maie:ended"
"""Sorted set of the final tasks, by the time of their end."""

RESERVATIONS = "maie:reservations"
"""Sorted set of the tasks whose upload is under way, by the time when the place is given back."""

WORKERS = "maie:workers"
"""Set of the names of all workers that have a lease or had one."""

COUNTERS = "maie:counters"
"""Hash of the sums that become metrics."""

RECENT = "maie:recent"
"""List of the processing times of the latest tasks, in seconds, newest first."""


def task(task_id: str) -> str:
    """The hash of one task."""
    return f"maie:task:{task_id}"


def lease(worker: str) -> str:
    """The lease of one worker: there as long as the worker lives."""
    return f"maie:worker:{worker}"
