"""The worker process: takes tasks from the queue, one at a time, and has them done by its engine process.

RQ's simple worker runs the task's function in this process, so that its child, the engine, stays warm between
tasks. This process never touches the models or the GPU; it only supervises.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

import redis
from rq import worker_registration
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import SimpleWorker

from maie import jobs
from maie.engine import Engine, engine_for
from maie.logs import configure_logging, get_logger
from maie.notify import notify
from maie.settings import Settings, load_settings
from maie.tasks.files import Files
from maie.tasks.model import Lease
from maie.tasks.queue import TaskQueue
from maie.tasks.redis_client import connect, wait_for_redis
from maie.tasks.store import TaskStore
from maie.worker.attempt import Attempts

RQ_HEARTBEAT_SECONDS = 60

log = get_logger(__name__)


class MaieWorker(SimpleWorker):
    """RQ's worker with a lease, a watchdog and a sweep of its own.

    The name is new in every process: under a fixed name, RQ refuses the successor of a killed worker for an hour.
    """

    max_connection_wait_time = 2.0

    def __init__(self, queue: TaskQueue, engine: Engine, settings: Settings) -> None:
        self._settings = settings
        self._queue = queue
        self._engine = engine
        self._fed = 0.0
        super().__init__(
            [queue.rq],
            name=f"worker-{uuid4().hex}",
            connection=queue.store.connection,
            serializer=JSONSerializer,
            maintenance_interval=int(settings.sweep_seconds),
            worker_ttl=RQ_HEARTBEAT_SECONDS,
        )

    @property
    def dequeue_timeout(self) -> int:
        """Seconds for which an idle worker waits for a task before it shows that it lives."""
        return max(1, int(self._settings.lease_seconds / 3))

    @property
    def stop_was_requested(self) -> bool:
        """Whether a signal asked the worker to stop."""
        return self._shutdown_requested_date is not None

    def get_heartbeat_ttl(self, *_: Any, **__: Any) -> int:
        """Seconds for which RQ takes a running job for alive; it is told so far more often."""
        return RQ_HEARTBEAT_SECONDS

    def heartbeat(self, timeout: int | None = None, pipeline: redis.client.Pipeline | None = None) -> None:
        """Renew the lease too whenever RQ's own loop beats."""
        self.alive()
        if pipeline is None:
            self._engine.tend()
            self._queue.store.renew_lease(self.lease(None))
        super().heartbeat(timeout, pipeline)

    def run_maintenance_tasks(self) -> None:
        """Sweep; RQ calls this between two tasks, never during one."""
        self.last_cleaned_at = now()  # type: ignore[assignment]  # RQ annotates it as always None
        self._start_engine()
        self._queue.sweep()
        worker_registration.clean_worker_registry(self._queue.rq)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do one task; then have an engine ready for the next one, since a task may end its process."""
        super().execute_job(job, queue)
        self._engine.tend()
        self._start_engine()

    def lease(self, task: str | None) -> Lease:
        """Return what this worker says of itself."""
        can_work = self._engine.ready or self._engine.asleep
        return Lease(self.name, self._settings.release, os.getpid(), can_work, task)

    def alive(self) -> None:
        """Feed systemd's watchdog from the main loop, once a second at most."""
        moment = time.monotonic()
        if moment - self._fed >= 1.0:
            self._fed = moment
            notify("WATCHDOG=1")

    def beat(self) -> None:
        """Renew what RQ knows of the running job."""
        execution = self.execution
        if execution is not None:
            self.maintain_heartbeats(execution.job, execution)

    def _start_engine(self) -> None:
        """Have the engine ready for the next task; a server in its place stays if the next task needs only that."""
        if self._engine.serving and self._llm_is_next():
            return
        if self._engine.serving or not (self._engine.ready or self._engine.asleep):
            self._engine.start(lambda _: self._show_life())

    def _llm_is_next(self) -> bool:
        waiting = self._queue.waiting()
        return bool(waiting) and (waiting[0].parked or waiting[0].kind == "text")

    def _show_life(self) -> None:
        self.alive()
        with suppress(redis.RedisError):
            self._queue.store.renew_lease(self.lease(None))


def main() -> int:
    """Run a worker until a signal ends it.

    Returns:
        0 after a requested stop, 1 when the worker could not go on: the service manager then starts it again.

    Raises:
        PermissionError: It can't start as this user.
        ConfigurationError: It can't start with these settings.
    """
    settings = load_settings()
    configure_logging(settings.log_level)
    files = Files(settings.data_dir)
    files.prepare()
    store = TaskStore(connect(settings), settings)
    wait_for_redis(store.connection)
    queue = TaskQueue(store, files, settings)
    notify("STATUS=Loading models")
    engine = engine_for(settings)
    engine.start()
    try:
        worker = MaieWorker(queue, engine, settings)
        jobs.bind(Attempts(engine, queue, files, worker, settings).run)
        log.info("worker is ready", worker=worker.name, release=settings.release)
        notify("READY=1", "STATUS=Working")
        worker.work(logging_level=None)
        store.drop_lease(worker.name)
    finally:
        engine.stop()
    return 0 if worker.stop_was_requested else 1
