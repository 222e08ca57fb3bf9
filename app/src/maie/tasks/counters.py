"""What workers count: sums in Redis that each task's end adds to, so that they are exact and outlive a process."""

from __future__ import annotations

from collections.abc import Iterator

from maie.domain import TaskStatus
from maie.tasks.model import Outcome

RTF_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the real-time factor's histogram (processing seconds / audio seconds)."""

REQUEUES = "requeues"
"""Counter of the attempts that were repeated because their worker or engine was gone."""

PARKINGS = "parkings"
"""Counter of the tasks that were parked, to share one start of the language model."""


def increments(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Yield what the end of a task adds to the sums in Redis: name and amount."""
    yield f"tasks:{outcome.status.value}", 1
    if outcome.error is not None:
        yield f"failures:{outcome.error['code']}", 1
    if outcome.status is not TaskStatus.COMPLETE:
        return
    measured = outcome.metrics
    yield "processing_seconds", measured["processing_time_seconds"]
    for stage, seconds in measured["stage_seconds"].items():
        yield f"stage_seconds:{stage}", seconds
    yield from outcome.counted.items()
    if "rtf" not in measured:  # of a text
        return
    yield "rtf:sum", measured["rtf"]
    yield "rtf:count", 1
    for bound in RTF_BUCKETS:
        if measured["rtf"] <= bound:
            yield f"rtf:{bound}", 1
