"""What the API and a worker do to a task on the queue, step by step and without their processes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import redis
from maie.domain import TaskOptions, TaskStatus
from maie.tasks import redis_keys
from maie.tasks.model import Lease, Outcome, Task, Upload, now_iso
from maie.tasks.queue import TaskQueue

DONE = Outcome(
    TaskStatus.COMPLETE,
    metrics={
        "input_duration_seconds": 10.0,
        "processing_time_seconds": 4.0,
        "rtf": 0.4,
        "stage_seconds": {"asr": 3.0},
    },
)


def lease(task: Task | None = None, worker: str = "w") -> Lease:
    """Return the sign of life of a worker that is at work on a task, or idle."""
    return Lease(worker, "r", 1, True, task.rq_id if task else None)


def idle_worker(connection: redis.Redis) -> None:
    """Let a worker named ``idle`` seem to live; without one the API takes nothing."""
    connection.set(redis_keys.lease("idle"), json.dumps(asdict(lease(worker="idle"))))
    connection.sadd(redis_keys.WORKERS, "idle")


def accepted(queue: TaskQueue) -> Task:
    """Do what the API does with an upload."""
    task = Task(str(uuid4()), TaskStatus.PENDING, 1, TaskOptions(), Upload("a.wav", 1, 1.0), "k", now_iso())
    queue.store.reserve(task.id)
    audio = queue.files.audio(task.id)
    audio.parent.mkdir()
    audio.write_bytes(b"x")
    queue.accept(task)
    return task


def taken_from_queue(queue: TaskQueue) -> None:
    """Do what a worker does first, and no more."""
    connection: Any = queue.store.connection
    job = connection.lpop(queue.rq.key)
    assert job
    # Redis 6.0 has no command that does both, and there RQ does only the first.
    connection.rpush(queue.rq.intermediate_queue.key, job)
