"""When a sound engine process is to end nevertheless: after long idleness, many tasks, or growth."""

from __future__ import annotations

import os
import time
from enum import Enum
from pathlib import Path

from maie.settings import Settings

MIB = 1024**2


class Due(Enum):
    """Why the process is to end."""

    IDLE = "it was without work"
    TASKS = "it has done its number of tasks"
    GROWTH = "its memory has grown"


class Upkeep:
    """Keeps count of one engine process."""

    def __init__(self, settings: Settings, pid: int | None) -> None:
        self._settings = settings
        self._pid = pid
        self._worked = time.monotonic()
        self._tasks = 0
        self._first = 0

    def worked(self) -> None:
        """Note that a job has ended. Growth is measured from the memory after the first one."""
        self._worked = time.monotonic()
        self._tasks += 1
        if self._tasks == 1:
            self._first = resident(self._pid)

    def due(self) -> Due | None:
        """Return why the process is to end now; None if it is to stay."""
        idle, tasks, growth = (
            self._settings.engine_idle_seconds,
            self._settings.engine_recycle_tasks,
            self._settings.engine_recycle_mb,
        )
        if growth and self._tasks and resident(self._pid) - self._first > growth * MIB:
            return Due.GROWTH
        if tasks and self._tasks >= tasks:
            return Due.TASKS
        if idle and time.monotonic() - self._worked >= idle:
            return Due.IDLE
        return None


def resident(pid: int | None) -> int:
    """Return the resident memory of a process in bytes; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
