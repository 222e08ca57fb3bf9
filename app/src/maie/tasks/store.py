"""The tasks in Redis: the one place that knows what is true of each.

A task changes only through the methods here, each one atomic step (:mod:`maie.tasks.lua`). An attempt that is no longer
the current one can't change anything, whatever its worker believes; so every end is written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Literal

import redis

from maie.domain import Progress
from maie.errors import QueueFull, TaskNotFound, Unavailable
from maie.settings import Settings
from maie.tasks import lua, redis_keys
from maie.tasks.counters import increments
from maie.tasks.model import Lease, Outcome, Task, now_iso, parse_task

ABANDONED_UPLOAD_SECONDS = 60
"""Seconds after which an upload's place is released when its API process has gone silent."""

DEFAULT_RETRY_AFTER = 5
"""Seconds after which a client may try again, as long as no task has been measured."""

WORKER_RETRY_AFTER = 10
"""Seconds in which the service manager has a worker running again, with its models loaded."""

TaskState = Literal["current", "cancelled", "superseded"]
CommitAnswer = Literal["committed", "refused", "gone"]


class TaskStore:
    """All tasks, as Redis knows them. Every method may raise ``redis.RedisError``."""

    def __init__(self, connection: redis.Redis, settings: Settings) -> None:
        self.connection = connection
        self._redis: Any = connection
        self._settings = settings
        self._reserve = self._redis.register_script(lua.RESERVE)
        self._renew = self._redis.register_script(lua.RENEW)
        self._begin = self._redis.register_script(lua.BEGIN)
        self._progress = self._redis.register_script(lua.PROGRESS)
        self._commit = self._redis.register_script(lua.COMMIT)

    def reserve(self, task_id: str) -> None:
        """Take a place in the queue for an upload that starts now.

        Raises:
            QueueFull: All places are taken; ``retry_after`` is the time in which the latest tasks made one free.
            Unavailable: No worker lives.
        """
        answer, mean = self._reserve(
            keys=[redis_keys.ACTIVE, redis_keys.RESERVATIONS, redis_keys.RECENT, redis_keys.WORKERS],
            args=[task_id, self._settings.queue_capacity, ABANDONED_UPLOAD_SECONDS, redis_keys.lease("")],
        )
        if answer == b"no worker":
            raise Unavailable("No worker is running at present.", retry_after=WORKER_RETRY_AFTER)
        if answer == b"full":
            raise QueueFull(retry_after=min(600, max(1, round(float(mean)))) if mean else DEFAULT_RETRY_AFTER)

    def renew_reservation(self, task_id: str) -> None:
        """Say that the upload is still alive."""
        self._renew(keys=[redis_keys.RESERVATIONS], args=[task_id, ABANDONED_UPLOAD_SECONDS])

    def release_reservation(self, task_id: str) -> None:
        """Give the place of a failed upload back."""
        self._redis.zrem(redis_keys.RESERVATIONS, task_id)

    def add(self, task: Task, submitted: float, pipeline: Any) -> None:
        """Put a new task into ``pipeline``, in the place that was reserved for it."""
        pipeline.hset(redis_keys.task(task.id), mapping=task.fields())
        pipeline.zadd(redis_keys.ACTIVE, {task.id: submitted})
        pipeline.zadd(redis_keys.TASKS, {task.id: submitted})
        pipeline.zrem(redis_keys.RESERVATIONS, task.id)

    def get(self, task_id: str) -> Task:
        """Return a task.

        Raises:
            TaskNotFound: There is none.
        """
        task = parse_task(self._redis.hgetall(redis_keys.task(task_id)))
        if task is None:
            raise TaskNotFound
        return task

    def get_many(self, task_ids: Iterable[str]) -> list[Task]:
        """Return those of the tasks that exist, in the given order."""
        pipeline = self._redis.pipeline(transaction=False)
        for task_id in task_ids:
            pipeline.hgetall(redis_keys.task(task_id))
        return [task for raw in pipeline.execute() if (task := parse_task(raw)) is not None]

    def newest(self, offset: int, limit: int) -> list[Task]:
        """Return tasks, newest first."""
        return self.get_many(_texts(self._redis.zrevrange(redis_keys.TASKS, offset, offset + limit - 1)))

    def active(self) -> list[Task]:
        """Return the tasks that are not final, oldest first."""
        return self.get_many(_texts(self._redis.zrange(redis_keys.ACTIVE, 0, -1)))

    def known_ids(self) -> set[str]:
        """Ids of all tasks."""
        return set(_texts(self._redis.zrange(redis_keys.TASKS, 0, -1)))

    def unended_ids(self) -> set[str]:
        """Ids of the tasks that are not final and of the uploads that are under way."""
        # No transaction, which Redis refuses at its memory limit. In this order no upload that ends is missed.
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrange(redis_keys.RESERVATIONS, 0, -1)
        pipeline.zrange(redis_keys.ACTIVE, 0, -1)
        uploading, active = pipeline.execute()
        return {*_texts(active), *_texts(uploading)}

    def uploading(self, now: float) -> int:
        """How many uploads hold a place at ``now`` (seconds since the epoch)."""
        return int(self._redis.zcount(redis_keys.RESERVATIONS, now, "+inf"))

    def drop_expired_reservations(self, now: float) -> None:
        """Forget uploads whose API process has gone."""
        self._redis.zremrangebyscore(redis_keys.RESERVATIONS, "-inf", f"({now}")

    def ended_before(self, moment: float) -> list[str]:
        """Ids of the tasks that ended before ``moment`` (seconds since the epoch)."""
        return _texts(self._redis.zrangebyscore(redis_keys.ENDED, "-inf", f"({moment}"))

    def ended_beyond(self, count: int) -> list[str]:
        """Ids of all ended tasks but the ``count`` that ended last."""
        return _texts(self._redis.zrevrange(redis_keys.ENDED, count, -1))

    def submitted_before(self, moment: float) -> list[str]:
        """Ids of the tasks that are not final and were accepted before ``moment`` (seconds since the epoch)."""
        return _texts(self._redis.zrangebyscore(redis_keys.ACTIVE, "-inf", f"({moment}"))

    def begin(self, task_id: str, attempt: int, lease: Lease) -> bool:
        """Let a worker begin an attempt; False if it is no longer wanted."""
        began = self._begin(
            keys=[redis_keys.task(task_id), redis_keys.lease(lease.worker), redis_keys.WORKERS],
            args=[attempt, lease.worker, json.dumps(asdict(lease)), self._lease_ms, now_iso()],
        )
        return bool(began)

    def progress(self, task_id: str, attempt: int, lease: Lease, progress: Progress | None) -> TaskState:
        """Renew the worker's lease, write the progress, and say whether the attempt is still wanted."""
        shown = ("", "", "")
        if progress is not None:
            shown = (progress.stage.status.value, progress.stage.name, f"{progress.fraction:.3f}")
        state: bytes = self._progress(
            keys=[redis_keys.task(task_id), redis_keys.lease(lease.worker), redis_keys.WORKERS],
            args=[attempt, lease.worker, json.dumps(asdict(lease)), self._lease_ms, *shown],
        )
        return state.decode()  # type: ignore[return-value]

    def commit(self, task_id: str, attempt: int | None, token: str, outcome: Outcome) -> CommitAnswer:
        """Write the end of a task, once.

        It is written only as long as ``attempt`` is the current one; with None, whatever the attempt. The ``token``
        names this one commit, so that repeating it after a lost answer changes nothing.
        """
        fields = outcome.fields()
        seconds = outcome.metrics.get("processing_time_seconds", "")
        answer: bytes = self._commit(
            keys=[
                redis_keys.task(task_id),
                redis_keys.ACTIVE,
                redis_keys.ENDED,
                redis_keys.COUNTERS,
                redis_keys.RECENT,
            ],
            args=[
                task_id,
                "*" if attempt is None else attempt,
                token,
                seconds,
                len(fields),
                *_flat(fields.items()),
                *_flat(increments(outcome)),
            ],
        )
        return answer.decode()  # type: ignore[return-value]

    def forget(self, task_id: str) -> None:
        """Remove a task from Redis.

        At its memory limit Redis refuses whatever comes in a transaction, even what would free memory, so this is
        none. The index that retention reads goes last, so that a half-deleted task is found again.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrem(redis_keys.ACTIVE, task_id)
        pipeline.zrem(redis_keys.TASKS, task_id)
        pipeline.delete(redis_keys.task(task_id))
        pipeline.zrem(redis_keys.ENDED, task_id)
        pipeline.execute()

    def renew_lease(self, lease: Lease) -> None:
        """Say that a worker lives."""
        pipeline = self._redis.pipeline()
        pipeline.set(redis_keys.lease(lease.worker), json.dumps(asdict(lease)), px=self._lease_ms)
        pipeline.sadd(redis_keys.WORKERS, lease.worker)
        pipeline.execute()

    def drop_lease(self, worker: str) -> None:
        """Say that a worker has ended."""
        self._redis.delete(redis_keys.lease(worker))
        self._redis.srem(redis_keys.WORKERS, worker)

    def leases(self) -> list[Lease]:
        """Return the leases of all living workers, and forget the names of the others."""
        names = _texts(self._redis.smembers(redis_keys.WORKERS))
        values = self._redis.mget([redis_keys.lease(name) for name in names]) if names else []
        gone = [name for name, value in zip(names, values, strict=False) if value is None]
        if gone:
            self._redis.srem(redis_keys.WORKERS, *gone)
        return [Lease(**json.loads(value)) for value in values if value is not None]

    def counters(self) -> dict[str, float]:
        """Return the sums that become metrics."""
        return {name.decode(): float(value) for name, value in self._redis.hgetall(redis_keys.COUNTERS).items()}

    @property
    def _lease_ms(self) -> int:
        return int(self._settings.lease_seconds * 1000)


def _texts(values: Iterable[bytes]) -> list[str]:
    return [value.decode() for value in values]


def _flat(pairs: Iterable[tuple[str, Any]]) -> list[Any]:
    return [item for pair in pairs for item in pair]
