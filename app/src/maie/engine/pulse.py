"""Whether an engine process makes progress or hangs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal

from maie import backends
from maie.domain import Progress, Stage
from maie.engine.messages import Alive, FromChild
from maie.settings import Settings

IDLE_SHARE = 0.01
"""Share of a processor's time below which a process counts as waiting."""

Worker = Literal["cpu", "cuda", "server"]


class Pulse:
    """Watches one job.

    What counts as a sign of life depends on who does the work of the stage:

    * a GPU: progress only, since a process may keep a processor busy while it waits for one;
    * processors: processor time too, since a large model may take minutes between two messages;
    * a server: that the process runs, since requests have time limits of their own.
    """

    def __init__(self, settings: Settings, pid: int | None) -> None:
        self._settings = settings
        self._pid = pid
        self._worker: Worker = "cpu"
        self._sign()

    def note(self, message: FromChild) -> None:
        """Take note of a message."""
        if isinstance(message, Progress):
            self._worker = worker_of(message.stage, self._settings)
        if self._worker == "server" or not isinstance(message, Alive):
            self._sign()

    def is_gone(self) -> bool:
        """Whether there was no sign of life for ``engine_stall_seconds``."""
        silent = time.monotonic() - self._last
        if silent < self._settings.engine_stall_seconds:
            return False
        if self._worker == "cpu" and cpu_seconds(self._pid) - self._used >= IDLE_SHARE * silent:
            self._sign()
            return False
        return True

    def _sign(self) -> None:
        self._last = time.monotonic()
        self._used = cpu_seconds(self._pid)


def worker_of(stage: Stage, settings: Settings) -> Worker:
    """Return who does the work of a stage."""
    if stage.needs == "nothing":
        return "cpu"
    if stage.needs == "speech_model":
        backend, device = backends.ASR[settings.asr_backend], settings.asr_device
    else:
        backend, device = backends.LLM[settings.llm_backend], settings.llm_device
    return "server" if backend.place == "server" else device


def cpu_seconds(pid: int | None) -> float:
    """Return the processor time that a process and its threads have used; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
