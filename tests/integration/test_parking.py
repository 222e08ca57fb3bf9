"""What the queue does with a task that lets others go first, against a real Redis and without a worker."""

from __future__ import annotations

import time

import pytest
from maie.domain import Progress, TaskResult, TaskStatus, Transcript
from maie.errors import WorkerLost
from maie.pipeline import table
from maie.tasks import redis_keys
from maie.tasks.model import Lease, Outcome, Task
from maie.tasks.queue import TaskQueue
from support.queue_steps import accepted, lease


def begun(queue: TaskQueue, task: Task) -> Lease:
    """Have a worker take the task from the queue."""
    mine = lease(task)
    assert queue.store.connection.lpop(queue.rq.key) == task.rq_id.encode()
    assert queue.store.begin(task.id, task.attempt, mine)
    return mine


def test_a_parked_task_waits_at_the_end_and_its_old_attempt_can_change_nothing(queue: TaskQueue) -> None:
    task, other = accepted(queue), accepted(queue)
    mine = begun(queue, task)
    started = queue.store.get(task.id).started_at
    for _ in range(2):  # the second after a lost answer
        queue.park(task, Progress(table.ASR, 1.0))
    parked = queue.store.get(task.id)
    assert [waiting.id for waiting in queue.waiting()] == [other.id, task.id]
    assert (parked.status, parked.stage, parked.progress) == (TaskStatus.PENDING, "asr", 1.0)
    assert (parked.parked, parked.tries, parked.attempt) == (True, 1, 2)
    assert queue.store.progress(task.id, 1, mine, Progress(table.ASR, 0.5)) == "superseded"
    assert queue.store.commit(task.id, 1, "old", Outcome(TaskStatus.FAILED, {"code": "x"})) == "refused"
    begun(queue, other)
    begun(queue, parked)
    assert queue.store.get(task.id).started_at == started
    assert queue.store.counters() == {"parkings": 1}


def test_a_cancelled_task_is_not_parked(queue: TaskQueue) -> None:
    task = accepted(queue)
    begun(queue, task)
    queue.store.commit(task.id, None, "cancelled", Outcome(TaskStatus.CANCELLED))
    queue.park(task, Progress(table.ASR, 1.0))
    assert queue.store.get(task.id).status is TaskStatus.CANCELLED
    assert queue.waiting() == []


@pytest.mark.parametrize("kept", [False, True])
def test_a_parked_task_has_as_many_tries_as_any(queue: TaskQueue, kept: bool) -> None:
    """And one attempt more to write its transcript down, where that is kept."""
    task = accepted(queue)
    queue.park(task, Progress(table.ASR, 1.0))
    if kept:
        queue.files.write_recognised(task.id, TaskResult(Transcript("en", ()), {}, {}))
    tries = 0
    while not (task := queue.store.get(task.id)).status.is_final:
        tries += 1
        assert task.tries == tries
        queue.retry(task, WorkerLost())
    assert tries == 3 + kept
    assert task.error == {"code": "worker_lost", "detail": WorkerLost().detail}


def test_a_parked_task_waits_however_long_it_takes(queue: TaskQueue) -> None:
    task, other = accepted(queue), accepted(queue)
    begun(queue, task)
    queue.park(task, Progress(table.ASR, 1.0))
    queue.store.connection.zadd(redis_keys.ACTIVE, {one.id: time.time() - 25 * 3600 for one in (task, other)})
    queue.sweep()
    assert queue.store.get(task.id).status is TaskStatus.PENDING
    assert queue.store.get(other.id).status is TaskStatus.FAILED
