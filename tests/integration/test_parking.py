"""What the queue does with a task that lets others go first, against a real Redis and without a worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from maie.database import connect
from maie.domain import Progress, Stage, TaskOptions, TaskResult, TaskStatus, Transcript
from maie.errors import WorkerLost
from maie.files import Files
from maie.queue import TaskQueue
from maie.settings import Settings
from maie.store import TaskStore
from maie.tasks import Lease, Outcome, Task, Upload, now_iso
from stack import Stack


@pytest.fixture
def queue(own_stack: Callable[..., Stack]) -> TaskQueue:
    stack = own_stack()
    given = {"credentials_dir": stack.credentials, "data_dir": stack.data, "redis_socket": stack.redis_socket}
    settings = Settings(profile="embedded", asr_model=stack.folder, task_attempts=2, **given)
    files = Files(settings.data_dir)
    files.prepare()
    return TaskQueue(TaskStore(connect(settings), settings), files, settings)


def accepted(queue: TaskQueue, name: str) -> Task:
    task = Task(name, TaskStatus.PENDING, 1, TaskOptions(), Upload("a.wav", 1, 1.0), "k", now_iso())
    (queue.files.uploads / name).mkdir()
    queue.accept(task)
    return task


def begun(queue: TaskQueue, task: Task) -> Lease:
    """Have a worker take the task from the queue."""
    lease = Lease("w", "r", 1, True, task.rq_id)
    assert queue.store.connection.lpop(queue.rq.key) == task.rq_id.encode()
    assert queue.store.begin(task.id, task.attempt, lease)
    return lease


def test_a_parked_task_waits_at_the_end_and_its_old_attempt_can_change_nothing(queue: TaskQueue) -> None:
    task, other = accepted(queue, "task"), accepted(queue, "other")
    lease = begun(queue, task)
    started = queue.store.get("task").started_at
    for _ in range(2):  # the second after a lost answer
        queue.park(task)
    parked = queue.store.get("task")
    assert [waiting.id for waiting in queue.waiting()] == ["other", "task"]
    assert (parked.status, parked.stage, parked.progress) == (TaskStatus.PENDING, "asr", 1.0)
    assert (parked.parked, parked.tries, parked.attempt) == (True, 1, 2)
    assert queue.store.progress("task", 1, lease, Progress(Stage.ASR, 0.5)) == "superseded"
    assert queue.store.commit("task", 1, "old", Outcome(TaskStatus.FAILED, {"code": "x"})) == "refused"
    begun(queue, other)
    begun(queue, parked)
    assert queue.store.get("task").started_at == started
    assert queue.store.counters() == {"parkings": 1}


def test_a_cancelled_task_is_not_parked(queue: TaskQueue) -> None:
    task = accepted(queue, "task")
    begun(queue, task)
    queue.store.commit("task", None, "cancelled", Outcome(TaskStatus.CANCELLED))
    queue.park(task)
    assert queue.store.get("task").status is TaskStatus.CANCELLED
    assert queue.waiting() == []


@pytest.mark.parametrize("kept", [False, True])
def test_a_parked_task_has_as_many_tries_as_any(queue: TaskQueue, kept: bool) -> None:
    """And one attempt more to write its transcript down, where that is kept."""
    task = accepted(queue, "task")
    queue.park(task)
    if kept:
        queue.files.write_recognised("task", TaskResult(Transcript("en", ()), {}, {}))
    tries = 0
    while not (task := queue.store.get("task")).status.is_final:
        tries += 1
        assert task.tries == tries
        queue.retry(task, WorkerLost())
    assert tries == 2 + kept
    assert task.error == {"code": "worker_lost", "detail": WorkerLost().detail}
