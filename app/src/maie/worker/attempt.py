"""One attempt at one task: begin it, let the engine work, watch, and write its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import redis
from structlog.contextvars import bound_contextvars

from maie.domain import EngineJob, Progress, TaskResult, TaskStatus, to_dict
from maie.errors import (
    ConfigurationError,
    DiskFull,
    EngineFailed,
    MaieError,
    TaskCancelled,
    TaskTimeout,
    WorkerLost,
)
from maie.logs import get_logger
from maie.pipeline import table
from maie.pipeline.partial_results import without_the_rest
from maie.settings import Settings
from maie.tasks.files import Files
from maie.tasks.limits import with_length
from maie.tasks.model import Outcome, Task
from maie.tasks.queue import TaskQueue, failure
from maie.worker.watch import Superseded, Watch, WorkerSide

if TYPE_CHECKING:
    from maie.engine import Engine

FIRST_PAUSE, LONGEST_DISK_PAUSE, LONGEST_REDIS_PAUSE = 0.5, 30.0, 4.0
"""Seconds before a step that failed for the disk or for Redis is tried again; each pause is twice the last."""

T = TypeVar("T")
log = get_logger(__name__)


class Parked(Exception):
    """The task now needs only the language model; waiting tasks go first, so that all share one start of its server."""


class Attempts:
    """Makes attempts at tasks, one at a time, with one engine."""

    def __init__(self, engine: Engine, queue: TaskQueue, files: Files, worker: WorkerSide, settings: Settings) -> None:
        self._engine = engine
        self._queue = queue
        self._store = queue.store
        self._files = files
        self._worker = worker
        self._settings = settings

    def run(self, task_id: str, attempt: int) -> None:
        """Make one attempt; return when its end is written or no longer counts."""
        with bound_contextvars(task_id=task_id, attempt=attempt):
            if not self._store.begin(task_id, attempt, self._worker.lease(f"{task_id}-{attempt}")):
                log.info("attempt is not wanted any more")
                return
            log.info("attempt begins")
            self._attempt(self._store.get(task_id))

    def _attempt(self, task: Task) -> None:
        try:
            outcome = self._work(task)
        except (TaskCancelled, Superseded) as reason:
            log.info("attempt is given up", reason=type(reason).__name__)
            return
        except Parked:
            self._persist(lambda: self._queue.park(task, Progress(table.ASR, 1.0) if task.kind == "audio" else None))
            return
        except ConfigurationError:
            # Its text names paths of this machine, which are no client's business.
            log.exception("the engine can't work with these settings")
            outcome = failure(MaieError())
        except MaieError as error:
            if error.retryable:
                cause = error
                self._persist(lambda: self._queue.retry(task, cause))
                return
            outcome = failure(error)
        except Exception:
            log.exception("attempt failed unexpectedly")
            outcome = failure(MaieError())
        self._end(task, outcome)

    def _work(self, task: Task) -> Outcome:
        recognised = self._files.read_recognised(task.id)
        watch = Watch(_with_found_length(task, recognised), self._queue, self._worker, self._settings)
        result = self._result(task, recognised, watch)
        self._with_room(lambda: self._files.write_result(task.id, task.attempt, to_dict(result)), watch)
        status = TaskStatus.COMPLETE if result.error is None else TaskStatus.FAILED
        counted = table.counted(result.metrics)
        return Outcome(status, result.error, result.metrics, result.versions, result.warnings, True, counted)

    def _result(self, task: Task, recognised: TaskResult | None, watch: Watch) -> TaskResult:
        """Let the engine work. If it fails in the middle, the result so far may count."""
        if recognised is not None and task.tries > self._settings.task_attempts:
            return without_the_rest(recognised, WorkerLost(), task.options)
        job = EngineJob(task.id, self._files.source(task.id, task.kind), task.options, task.kind, recognised)
        interim: list[TaskResult] = []
        try:
            if self._settings.llm_residency == "swap" and table.asked(task.options, "language_model"):
                job = self._for_llm(task, job, watch)
                if job.begun is not None:
                    interim.append(job.begun)
            return self._with_room(lambda: self._engine.run(job, watch.tick, interim.append), watch)
        except (EngineFailed, TaskTimeout) as error:
            if not interim or (error.retryable and task.tries < self._settings.task_attempts):
                raise
            log.warning("the language model's work was cut off", error=error.code)
            return without_the_rest(interim[-1], error, task.options)

    def _for_llm(self, task: Task, job: EngineJob, watch: Watch) -> EngineJob:
        """Return the job with only the language model's part left to do.

        Raises:
            Parked: Other tasks wait for the speech engine, or for the language model, which is then started for all of
                them.
        """
        recognised = job.begun
        if recognised is None and job.kind == "audio":
            speech_only = replace(job, options=table.without(job.options, "language_model"))
            found = recognised = self._with_room(lambda: self._engine.run(speech_only, watch.tick), watch)
            self._with_room(lambda: self._files.write_recognised(task.id, found), watch)
        if not (task.parked or self._engine.serving):
            waiting = self._persist(self._queue.waiting)
            if any(other.parked or other.kind == "audio" for other in waiting):
                raise Parked
        return replace(job, begun=recognised)

    def _end(self, task: Task, outcome: Outcome) -> None:
        token = uuid4().hex
        answer = self._persist(lambda: self._store.commit(task.id, task.attempt, token, outcome))
        if answer == "committed":
            self._files.remove_upload(task.id)
            log.info("task ended", status=outcome.status.value, error=outcome.error, rtf=outcome.metrics.get("rtf"))
        else:
            self._files.remove_result(task.id, task.attempt)
            log.info("result is not wanted any more", answer=answer)

    def _with_room(self, step: Callable[[], T], watch: Watch) -> T:
        """Do ``step``; while the disk is full, again after ever longer pauses.

        Raises:
            DiskFull: It was full for ``disk_wait_seconds``.
            BaseException: Whatever ``step`` raised, or ``watch`` where the task is not wanted any more.
        """
        end = time.monotonic() + self._settings.disk_wait_seconds
        pause = FIRST_PAUSE
        while True:
            try:
                return step()
            except DiskFull:
                if time.monotonic() + pause > end:
                    raise
            log.warning("the disk is full; trying again", seconds=pause)
            self._retire()
            watch.wait(pause)
            pause = min(2 * pause, LONGEST_DISK_PAUSE)

    def _persist(self, step: Callable[[], T]) -> T:
        """Repeat ``step`` until Redis answers: a restart of Redis must not cost the result."""
        pause = FIRST_PAUSE
        while True:
            try:
                return step()
            except redis.RedisError as error:
                log.warning("Redis does not take what was worked out; trying again", error=str(error), seconds=pause)
                if isinstance(error, redis.ResponseError):  # it answers, and has no room
                    self._retire()
            self._worker.alive()
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_REDIS_PAUSE)

    def _retire(self) -> None:
        """Delete what is past its retention, which may make the room, on the disk or in Redis, that is waited for."""
        try:
            self._queue.retire()
        except (redis.RedisError, OSError) as error:
            log.warning("nothing could be deleted", error=str(error))


def _with_found_length(task: Task, recognised: TaskResult | None) -> Task:
    """Return the task with the measured length of its audio, where that is known."""
    return task if recognised is None else with_length(task, recognised.metrics["input_duration_seconds"])
