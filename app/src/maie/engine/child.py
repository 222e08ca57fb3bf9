"""The engine process itself: loads the models once, then runs one job after the other until its pipe closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

from structlog.contextvars import bound_contextvars

from maie.domain import EngineJob
from maie.engine.messages import Alive, Failed, FromChild, Interim, Ready
from maie.engine.server_unit import take_lease
from maie.errors import EngineFailed, EngineOutOfMemory, MaieError
from maie.exhaustion import is_out_of_memory
from maie.logs import configure_logging, get_logger
from maie.pipeline.run import load_models, run
from maie.settings import Settings
from maie.stages.work import Models

log = get_logger(__name__)

OOM_SCORE = "500"
"""Has the kernel kill this process, which can be replaced, before the worker and Redis."""

BEATS, LEAST_BEAT_SECONDS = 4, 1.0
"""Signs of life within ``engine_stall_seconds``, and the least seconds between two."""


def main(pipe: Connection, settings: Settings, speech: bool) -> None:
    """Run the engine process; its parent starts it with ``multiprocessing`` (spawn).

    Signals that end a service are left to the worker, which decides what becomes of the running job.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, name="die-with-parent", daemon=True).start()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    configure_logging(settings.log_level, sys.stderr)
    begun = time.perf_counter()
    teller = _Teller(pipe, max(LEAST_BEAT_SECONDS, settings.engine_stall_seconds / BEATS))
    try:
        if speech and settings.llm_residency == "swap":
            take_lease(settings.run_dir)
        models = load_models(settings, speech)
    except Exception as error:
        teller.tell(_failure(error))
        return
    teller.tell(Ready(models.versions, round(time.perf_counter() - begun, 3)))
    with contextlib.suppress(EOFError):
        while (job := pipe.recv()) is not None:
            with bound_contextvars(task_id=job.task_id), teller.working():
                answer = _work(job, models, settings, teller)
            teller.tell(answer)
            if isinstance(answer, Failed) and answer.fatal:
                return


class _Teller:
    """The child's end of the pipe, shared by the thread that works and the one that gives signs of life.

    The latter is started at once: when a job begins there may be no memory for a new thread.
    """

    def __init__(self, pipe: Connection, beat_seconds: float) -> None:
        self._pipe = pipe
        self._beat_seconds = beat_seconds
        self._lock = threading.Lock()
        self._is_working = False
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def tell(self, message: FromChild) -> None:
        """Send a message."""
        with self._lock:
            self._pipe.send(message)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Give signs of life meanwhile."""
        with self._lock:
            self._is_working = True
        try:
            yield
        finally:
            with self._lock:
                self._is_working = False

    def _beat(self) -> None:
        while True:
            time.sleep(self._beat_seconds)
            with self._lock, contextlib.suppress(OSError):  # without a parent this process ends by itself
                if self._is_working:
                    self._pipe.send(Alive())


def _work(job: EngineJob, models: Models, settings: Settings, teller: _Teller) -> FromChild:
    try:
        return run(job, models, settings, teller.tell, lambda result: teller.tell(Interim(result)))
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> Failed:
    """Classify an error: after one that MAIE raised on purpose the process is sound; any other ends it."""
    if isinstance(error, MaieError):
        return Failed(error, fatal=False)
    log.error("engine process ends after an error", exc_info=error)
    return Failed(EngineOutOfMemory() if is_out_of_memory(error) else EngineFailed(), fatal=True)


def _die_with_parent() -> None:
    """End this process when the worker is gone, even while the main thread is inside a C call."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
