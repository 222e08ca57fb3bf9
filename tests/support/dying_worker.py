"""A worker that ends itself and all its children by SIGKILL, once, when it parks a task.

Called with one of the ``POINTS`` and a file that says afterwards that it has happened.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from maie.domain import Progress
from maie.tasks.model import Task
from maie.tasks.queue import TaskQueue
from maie.worker import main as worker

POINTS = BEFORE, AFTER = "transcript kept, task not parked", "task parked, RQ not told"


def main(point: str, happened: Path) -> int:
    """Run the worker until it dies, or as long as it is wanted."""
    park = TaskQueue.park

    def die() -> None:
        if not happened.exists():
            happened.touch()
            os.killpg(0, signal.SIGKILL)

    def dying(queue: TaskQueue, task: Task, reached: Progress | None) -> None:
        if point == BEFORE:
            die()
        park(queue, task, reached)
        die()

    TaskQueue.park = dying  # type: ignore[method-assign]
    return worker.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
