"""Watches over one attempt at a task while the engine works on it, or while it waits for room on the disk."""

from __future__ import annotations

import time
from typing import Protocol

import redis

from maie.domain import Progress
from maie.errors import TaskCancelled, TaskTimeout
from maie.logs import get_logger
from maie.pipeline import table
from maie.settings import Settings
from maie.tasks.limits import decode_seconds, llm_seconds, speech_seconds, with_length
from maie.tasks.model import Lease, Task
from maie.tasks.queue import TaskQueue

LOOK_SECONDS = 0.5
"""How often a task is checked while the engine works, and so how soon a cancellation is seen."""

PROGRESS_SECONDS = 1.0
"""How often progress within a stage is written."""

BEAT_SECONDS = 10.0
"""How often RQ is told that its job is alive."""

log = get_logger(__name__)


class Superseded(Exception):
    """The attempt is no longer the current one, since its worker was taken for lost. Its outcome does not count."""


class WorkerSide(Protocol):
    """What the watch needs of the worker process."""

    def lease(self, task: str | None) -> Lease:
        """Return the worker's lease while it works on ``task`` (an RQ id)."""

    def alive(self) -> None:
        """Note that the main loop runs; called often."""

    def beat(self) -> None:
        """Renew what RQ knows of the running job."""


class Watch:
    """The ``tick`` of one attempt: renews the lease, writes progress, and ends the engine's work when it must end."""

    def __init__(self, task: Task, queue: TaskQueue, worker: WorkerSide, settings: Settings) -> None:
        self._task = task
        self._store = queue.store
        self._worker = worker
        self._interval = min(LOOK_SECONDS, settings.lease_seconds / 5)
        self._settings = settings
        self._limit = decode_seconds(task, settings)
        self._llm_stages = len(table.asked(task.options, "language_model"))
        self._llm_limit: float | None = llm_seconds(task, self._llm_stages, settings)
        self._started = time.monotonic()
        self._limited_from = self._started
        self._looked = 0.0
        self._beaten = self._started
        self._latest: Progress | None = None
        self._written: Progress | None = None
        self._written_at = 0.0

    def tick(self, progress: Progress | None) -> None:
        """Note progress, and check on the task when it is time.

        Raises:
            TaskTimeout: The task ran longer than its limit.
            TaskCancelled: The client cancelled it.
            Superseded: Another attempt is the current one.
        """
        self._worker.alive()
        self._latest = progress or self._latest
        now = time.monotonic()
        if progress is not None and progress.audio_seconds is not None:
            known = with_length(self._task, progress.audio_seconds)
            self._limit = speech_seconds(known, self._settings)
            self._llm_limit = llm_seconds(known, self._llm_stages, self._settings)
        is_llm = progress is not None and progress.stage.needs == "language_model"
        if is_llm and self._llm_limit is not None:
            self._limit, self._llm_limit, self._limited_from = self._llm_limit, None, now
        if now - self._limited_from > self._limit:
            raise TaskTimeout(f"The task took longer than its limit of {self._limit:.0f} seconds.")
        if now - self._looked >= self._interval:
            self._look()
            self._looked = time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait without counting the time: the time limit of the next step begins afterwards.

        Raises:
            TaskCancelled, Superseded: As :meth:`tick`.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._worker.alive()
            self._look()
            time.sleep(min(self._interval, left))
        self._limited_from = time.monotonic()

    def _look(self) -> None:
        lease = self._worker.lease(self._task.rq_id)
        try:
            state = self._store.progress(self._task.id, self._task.attempt, lease, self._news())
            self._beat_sometimes()
        except redis.RedisError as error:
            log.warning("Redis does not answer; the work goes on", error=str(error))
            return
        if state == "cancelled":
            raise TaskCancelled
        if state == "superseded":
            raise Superseded

    def _news(self) -> Progress | None:
        """Return the progress if it is worth a write to the disk: in another stage, or a second later."""
        latest, written, now = self._latest, self._written, time.monotonic()
        if latest is None or latest == written:
            return None
        if written is not None and latest.stage == written.stage and now - self._written_at < PROGRESS_SECONDS:
            return None
        self._written, self._written_at = latest, now
        return latest

    def _beat_sometimes(self) -> None:
        now = time.monotonic()
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._worker.beat()
