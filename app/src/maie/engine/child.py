"""The engine process itself: loads the models once, then runs one job after the other until its pipe closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

from structlog.contextvars import bound_contextvars

from maie.domain import EngineJob
from maie.engine.messages import Failed, FromChild, Interim, Ready
from maie.engine.server_unit import take_lease
from maie.errors import EngineFailed, EngineOutOfMemory, MaieError, is_out_of_memory
from maie.logs import configure_logging, get_logger
from maie.pipeline import Models, load_models, run
from maie.settings import Settings

log = get_logger(__name__)

OOM_SCORE = "500"
"""Makes the kernel take this process, which is replaced, before the worker and Redis."""


def main(pipe: Connection, settings: Settings, hears: bool) -> None:
    """Run the engine process: the supervisor starts it with ``multiprocessing`` (spawn).

    Signals that end a service are left to the worker, which decides what becomes of the running job.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, name="die-with-parent", daemon=True).start()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    configure_logging(settings.log_level, sys.stderr)
    begun = time.perf_counter()
    try:
        if hears and settings.llm_residency == "swap":
            take_lease(settings.run_dir)
        models = load_models(settings, hears)
    except Exception as error:
        pipe.send(_failure(error))
        return
    pipe.send(Ready(models.versions, round(time.perf_counter() - begun, 3)))
    with contextlib.suppress(EOFError):
        while (job := pipe.recv()) is not None:
            with bound_contextvars(task_id=job.task_id):
                answer = _work(job, models, settings, pipe)
            pipe.send(answer)
            if isinstance(answer, Failed) and answer.fatal:
                return


def _work(job: EngineJob, models: Models, settings: Settings, pipe: Connection) -> FromChild:
    try:
        return run(job, models, settings, pipe.send, lambda result: pipe.send(Interim(result)))
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> Failed:
    """Classify an error: what MAIE raised on purpose leaves the process sound, anything else ends it."""
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
