"""The queue: acceptance of tasks, new attempts, and the sweep that finds what has been abandoned.

The tasks of :mod:`maie.tasks.store` are the truth and RQ only carries them to a worker: each attempt is an RQ job of
its own, ``<task id>-<attempt>``, which RQ itself never retries. What RQ still holds of a finished attempt is litter,
which the sweep removes.
"""

from __future__ import annotations

import time
from typing import Any

import redis
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from maie.domain import Progress, TaskStatus
from maie.errors import MaieError, TaskExpired, WorkerLost
from maie.logs import get_logger
from maie.settings import Settings
from maie.tasks import redis_keys
from maie.tasks.counters import PARKINGS, REQUEUES
from maie.tasks.files import Files
from maie.tasks.model import Outcome, Task, parse_task
from maie.tasks.store import TaskStore

QUEUE_NAME = "maie"
JOB_FUNCTION = "maie.jobs.run_task"

RQ_KEEPS_FAILED_SECONDS = 3600

log = get_logger(__name__)


def failure(error: MaieError) -> Outcome:
    """The end of a task that failed with ``error``."""
    return Outcome(TaskStatus.FAILED, error={"code": error.code, "detail": error.detail})


class TaskQueue:
    """The one queue of the service. Every method may raise ``redis.RedisError``."""

    def __init__(self, store: TaskStore, files: Files, settings: Settings) -> None:
        self.store = store
        self.files = files
        self.rq = Queue(QUEUE_NAME, connection=store.connection, serializer=JSONSerializer)
        self._settings = settings

    def accept(self, task: Task) -> None:
        """Record a new task and queue its first attempt, in one transaction."""
        pipeline: Any = self.store.connection.pipeline()
        pipeline.multi()
        self.store.add(task, time.time(), pipeline)
        self._enqueue(task.id, task.attempt, pipeline)
        pipeline.execute()

    def retry(self, task: Task, cause: MaieError) -> None:
        """End the current attempt of ``task``: queue the next one, or fail the task when it was the last.

        A task that has a stored transcript gets one attempt more, which tries nothing: it ends with that transcript.
        Nothing happens when the task has moved on since it was read.
        """
        has_transcript = self.files.read_recognised(task.id) is not None
        if task.tries >= self._settings.task_attempts + has_transcript:
            self.end(task, failure(cause))
        elif self._requeue(task, {"stage": "", "progress": "0"}, REQUEUES):
            log.warning("task is tried again", task_id=task.id, attempt=task.attempt + 1, cause=cause.code)

    def park(self, task: Task, reached: Progress | None) -> None:
        """Let the waiting tasks go first; ``task`` comes up again after all that wait now.

        Meanwhile clients see what it has ``reached``. Nothing happens when the task has moved on since it was read.
        """
        shown = {"stage": reached.stage.name, "progress": f"{reached.fraction:g}"} if reached else {}
        if self._requeue(task, {"parked": "1", **shown}, PARKINGS):
            log.info("task waits for the language model")

    def waiting(self) -> list[Task]:
        """The tasks that wait for a worker, in their order."""
        active = {task.rq_id: task for task in self.store.active()}
        return [active[rq_id] for rq_id in self.rq.get_job_ids() if rq_id in active]

    def end(self, task: Task, outcome: Outcome) -> None:
        """Write the end of ``task`` from outside its attempt, and delete its audio."""
        token = f"{task.rq_id}:{outcome.status.value}"
        if self.store.commit(task.id, task.attempt, token, outcome) == "committed":
            log.warning("task ended", task_id=task.id, status=outcome.status.value, error=outcome.error)
            self.files.remove_upload(task.id)

    def forget(self, task: Task) -> None:
        """Remove all traces of a task."""
        self.files.remove_upload(task.id)
        self.files.remove_results(task.id)
        self.store.forget(task.id)
        self._delete_job(task.rq_id)

    def sweep(self) -> None:
        """Repair whatever a crash of any process has left behind; quick if there is nothing to do."""
        try:
            self.retire()
        finally:
            self._recover()

    def retire(self) -> None:
        """Delete what is past its retention, and files that belong to no task.

        What frees memory comes first: where Redis has no memory left, the rest fails.
        """
        now = time.time()
        self.store.drop_expired_reservations(now)
        oldest_result = now - self._settings.retention_days * 86400
        overdue = {*self.store.ended_before(oldest_result), *self.store.ended_beyond(self._settings.max_kept_tasks)}
        for task in self.store.get_many(overdue):
            self.forget(task)
            overdue.remove(task.id)
        for task_id in overdue:  # only half deleted
            self.store.forget(task_id)
        oldest_upload = now - self._settings.upload_retention_hours * 3600
        for task in self.store.get_many(self.store.submitted_before(oldest_upload)):
            if task.status is TaskStatus.PENDING and not task.parked:
                self.end(task, failure(TaskExpired()))
        # The files first: one that is listed before the tasks are belongs to a task in that list, or to none.
        uploads, results = self.files.upload_ids(), list(self.files.old_results())
        wanted = self.store.unended_ids()
        for task_id in uploads:
            if task_id not in wanted:
                self.files.remove_upload(task_id)
        known = self.store.known_ids()
        for task_id, path in results:
            if task_id not in known:
                path.unlink(missing_ok=True)

    def _recover(self) -> None:
        """Queue abandoned tasks again, and remove the litter of finished attempts."""
        first = {task.rq_id for task in self._abandoned()} | set(self._litter())
        if first:
            # A task also looks abandoned for a moment between queue and worker, or when Redis is back after a while.
            # A living worker renews its lease more often than this, so only what is abandoned still looks so then.
            time.sleep(self._settings.lease_seconds / 4)
            for task in self._abandoned():
                if task.rq_id in first:
                    self.retry(task, WorkerLost())
            for rq_id in self._litter():
                if rq_id in first:
                    self._delete_job(rq_id)

    def _abandoned(self) -> list[Task]:
        """The tasks that have not ended, wait in no queue, and are held by no living worker."""
        active = self.store.active()
        if not active:
            return []
        queued = set(self.rq.get_job_ids())
        held = {lease.task for lease in self.store.leases()}
        return [task for task in active if task.rq_id not in queued and task.rq_id not in held]

    def _litter(self) -> list[str]:
        """Ids of RQ jobs that a worker took from the queue and that no living worker works on."""
        popped = self.rq.intermediate_queue.get_job_ids()
        started = StartedJobRegistry(queue=self.rq).get_job_ids(cleanup=False)
        if not popped and not started:
            return []
        held = {lease.task for lease in self.store.leases()}
        return [rq_id for rq_id in {*popped, *started} if rq_id not in held]

    def _requeue(self, task: Task, shown: dict[str, str], counter: str) -> bool:
        """Make the next attempt the current one and queue it, if ``task`` still is as it was read.

        RQ queues from the client's side, so this step is a watched transaction and not a script.
        """
        key = redis_keys.task(task.id)
        pipeline: Any
        with self.store.connection.pipeline() as pipeline:
            try:
                pipeline.watch(key)
                current = parse_task(pipeline.hgetall(key))
                if current is None or current.status.is_final or current.attempt != task.attempt:
                    return False
                pipeline.multi()
                pipeline.hset(
                    key,
                    mapping={
                        "status": TaskStatus.PENDING.value,
                        "attempt": str(task.attempt + 1),
                        "worker": "",
                        **shown,
                    },
                )
                pipeline.hincrbyfloat(redis_keys.COUNTERS, counter, 1)
                self._enqueue(task.id, task.attempt + 1, pipeline)
                pipeline.execute()
            except redis.WatchError:
                return False
        return True

    def _enqueue(self, task_id: str, attempt: int, pipeline: Any) -> None:
        self.rq.enqueue_call(
            JOB_FUNCTION,
            args=(task_id, attempt),
            timeout=-1,
            result_ttl=0,
            failure_ttl=RQ_KEEPS_FAILED_SECONDS,
            job_id=f"{task_id}-{attempt}",
            pipeline=pipeline,
        )

    def _delete_job(self, rq_id: str) -> None:
        """Remove what RQ holds of a finished attempt."""
        connection = self.store.connection
        self.rq.intermediate_queue.remove(rq_id)
        registry = StartedJobRegistry(queue=self.rq)
        for job_id, execution_id in registry.get_job_and_execution_ids(cleanup=False):
            if job_id == rq_id:
                registry.remove_execution(Execution(execution_id, job_id, connection))
        try:
            Job.fetch(rq_id, connection=connection, serializer=JSONSerializer).delete()
        except NoSuchJobError:
            return
        except InvalidJobOperation:  # its worker is removing it at the same moment, or has written a part of it anew
            connection.delete(Job.key_for(rq_id))
