"""One attempt at one task: begin it, let the engine work, watch, and write its end.

:func:`run_task` is what RQ calls. It finds the :class:`Supervisor` that the worker process has bound, for the engine
must outlive the single task.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import uuid4

import redis
from structlog.contextvars import bound_contextvars

from maie.domain import LLM_STAGES, EngineJob, Progress, TaskResult, TaskStatus, to_dict
from maie.errors import ConfigurationError, EngineFailed, MaieError, TaskCancelled, TaskTimeout, WorkerLost
from maie.files import Files
from maie.limits import decode_seconds, llm_seconds, speech_seconds, with_length
from maie.logs import get_logger
from maie.queue import TaskQueue, failure
from maie.settings import Settings
from maie.shortfall import without_the_rest
from maie.tasks import Lease, Outcome, Task

if TYPE_CHECKING:
    from maie.engine import Engine, Tick

REDIS_RETRY_SECONDS = 0.5
LOOK_SECONDS = 0.5
"""How often a task is looked after while the engine works: so soon a cancellation is seen."""

PROGRESS_SECONDS = 1.0
"""How often progress within a stage is written."""

BEAT_SECONDS = 10.0
"""How often RQ is told that its job is alive."""

T = TypeVar("T")
log = get_logger(__name__)
_supervisor: Supervisor | None = None


class Superseded(Exception):
    """The attempt is no longer the current one: its worker was taken for lost. Its outcome counts for nothing."""


class GivesWay(Exception):
    """The task needs only the language model from here on; those that wait go first, and share its server's start."""


class WorkerSide(Protocol):
    """What the supervisor needs of the worker process."""

    def lease(self, task: str | None) -> Lease:
        """Return the worker's lease while it works on ``task`` (an RQ id)."""

    def alive(self) -> None:
        """Say that the main loop runs; called often."""

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
        self._llm_limit: float | None = llm_seconds(task, settings)
        self._started = time.monotonic()
        self._limited_from = self._started
        self._looked = 0.0
        self._beaten = self._started
        self._latest: Progress | None = None
        self._written: Progress | None = None
        self._written_at = 0.0

    def tick(self, progress: Progress | None) -> None:
        """Take note of progress; look after the task when it is time.

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
            self._limit, self._llm_limit = speech_seconds(known, self._settings), llm_seconds(known, self._settings)
        if progress is not None and progress.stage in LLM_STAGES and self._llm_limit is not None:
            self._limit, self._llm_limit, self._limited_from = self._llm_limit, None, now
        if now - self._limited_from > self._limit:
            raise TaskTimeout(f"The task took longer than its limit of {self._limit:.0f} seconds.")
        if now - self._looked >= self._interval:
            self._look()
            self._looked = time.monotonic()

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
        """Return the progress if it is worth a write to the disk: another stage, or a second later."""
        latest, written, now = self._latest, self._written, time.monotonic()
        if latest is None or latest == written:
            return None
        if written is not None and latest.stage is written.stage and now - self._written_at < PROGRESS_SECONDS:
            return None
        self._written, self._written_at = latest, now
        return latest

    def _beat_sometimes(self) -> None:
        now = time.monotonic()
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._worker.beat()


class Supervisor:
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
        except GivesWay:
            self._persist(lambda: self._queue.park(task))
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
        result = self._result(task)
        self._files.write_result(task.id, task.attempt, to_dict(result))
        status = TaskStatus.COMPLETE if result.error is None else TaskStatus.FAILED
        return Outcome(status, result.error, result.metrics, result.versions, result.warnings, has_result=True)

    def _result(self, task: Task) -> TaskResult:
        """Let the engine work; where it does not come to the end of its work, what it has come to may count."""
        recognised = self._files.read_recognised(task.id)
        if recognised is not None and task.tries > self._settings.task_attempts:
            return without_the_rest(recognised, WorkerLost(), task.options)
        job = EngineJob(task.id, self._files.source(task.id, task.kind), task.options, task.kind, recognised)
        watch = Watch(_with_found_length(task, recognised), self._queue, self._worker, self._settings)
        kept: list[TaskResult] = []
        try:
            if self._settings.llm_residency == "swap" and task.options.llm_stages:
                job = self._for_llm(task, job, watch.tick)
                if job.begun is not None:
                    kept.append(job.begun)
            return self._engine.run(job, watch.tick, kept.append)
        except (EngineFailed, TaskTimeout) as error:
            if not kept or (error.retryable and task.tries < self._settings.task_attempts):
                raise
            log.warning("the language model's work was cut off", error=error.code)
            return without_the_rest(kept[-1], error, task.options)

    def _for_llm(self, task: Task, job: EngineJob, tick: Tick) -> EngineJob:
        """Return the job with nothing left to do but the language model's part.

        Raises:
            GivesWay: Other tasks wait for the speech engine, or for the language model too; it is started for all.
        """
        recognised = job.begun
        if recognised is None and job.kind == "audio":
            recognised = self._engine.run(replace(job, options=job.options.without_llm), tick)
            self._files.write_recognised(task.id, recognised)
        if not (task.parked or self._engine.serving):
            waiting = self._persist(self._queue.waiting)
            if any(other.parked or other.kind == "audio" for other in waiting):
                raise GivesWay
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

    def _persist(self, step: Callable[[], T]) -> T:
        """Do ``step`` until Redis answers: what was worked out is not thrown away for a restart of Redis."""
        while True:
            try:
                return step()
            except redis.RedisError as error:
                log.warning("Redis does not take what was worked out; trying again", error=str(error))
                self._worker.alive()
                time.sleep(REDIS_RETRY_SECONDS)


def _with_found_length(task: Task, recognised: TaskResult | None) -> Task:
    """Return the task with the length that its audio was found to have, where that is known."""
    return task if recognised is None else with_length(task, recognised.metrics["input_duration_seconds"])


def bind(supervisor: Supervisor) -> None:
    """Let :func:`run_task` use this supervisor."""
    global _supervisor
    _supervisor = supervisor


def run_task(task_id: str, attempt: int) -> None:
    """Make one attempt at a task, in a worker process."""
    if _supervisor is None:
        raise RuntimeError("run_task was called outside of a worker process")
    _supervisor.run(task_id, attempt)
