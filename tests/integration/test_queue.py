"""The queue's promises, against a real Redis."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from maie.domain import Progress, TaskStatus
from maie.errors import ConfigurationError, EngineFailed, QueueFull, Unavailable
from maie.pipeline import table
from maie.tasks import redis_keys
from maie.tasks.model import Outcome
from maie.tasks.queue import TaskQueue
from maie.tasks.redis_client import require_safe_redis
from support.queue_steps import DONE, accepted, lease, taken_from_queue
from support.stack import Stack


def test_of_many_at_once_only_as_many_as_there_are_places_get_in(queue: TaskQueue) -> None:
    def attempt(_: int) -> bool:
        try:
            queue.store.reserve(str(uuid4()))
        except QueueFull as error:
            return error.retry_after != 5
        return True

    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(attempt, range(200))) == 5


def test_without_a_living_worker_nothing_gets_in(queue: TaskQueue, stack: Stack) -> None:
    stack.redis().delete(redis_keys.lease("idle"))
    with pytest.raises(Unavailable) as caught:
        queue.store.reserve("task")
    assert caught.value.retry_after == 10
    assert not queue.store.unended_ids()


def test_tasks_keep_their_places_until_they_end(queue: TaskQueue) -> None:
    tasks = [accepted(queue) for _ in range(5)]
    with pytest.raises(QueueFull):
        queue.store.reserve("one more")
    assert queue.store.begin(tasks[0].id, 1, lease(tasks[0]))
    with pytest.raises(QueueFull):
        queue.store.reserve("one more")
    assert queue.store.commit(tasks[0].id, 1, "t", DONE) == "committed"
    queue.store.reserve("one more")


def test_retry_after_follows_from_the_time_that_tasks_take(queue: TaskQueue) -> None:
    done = accepted(queue)
    queue.store.commit(
        done.id, 1, "t", Outcome(TaskStatus.COMPLETE, metrics={**DONE.metrics, "processing_time_seconds": 42.4})
    )
    for number in range(5):
        queue.store.reserve(str(number))
    with pytest.raises(QueueFull) as caught:
        queue.store.reserve("one more")
    assert caught.value.retry_after == 42


def test_the_place_of_a_dead_upload_comes_back(queue: TaskQueue, stack: Stack) -> None:
    for number in range(5):
        queue.store.reserve(str(number))
    stack.redis().zadd(redis_keys.RESERVATIONS, {"0": time.time() - 1})
    queue.store.reserve("one more")


def test_an_attempt_is_begun_once(queue: TaskQueue) -> None:
    task = accepted(queue)
    assert queue.store.begin(task.id, 1, lease(task, "first"))
    assert not queue.store.begin(task.id, 1, lease(task, "second"))
    assert queue.store.get(task.id).worker == "first"


def test_an_end_is_written_once(queue: TaskQueue) -> None:
    task = accepted(queue)
    queue.store.begin(task.id, 1, lease(task))
    assert queue.store.commit(task.id, 1, "mine", DONE) == "committed"
    assert queue.store.commit(task.id, 1, "mine", DONE) == "committed"
    assert queue.store.commit(task.id, 1, "other", Outcome(TaskStatus.FAILED, {"code": "x"})) == "refused"
    stored = queue.store.get(task.id)
    assert (stored.status, stored.commits) == (TaskStatus.COMPLETE, 1)
    assert queue.store.counters()["tasks:COMPLETE"] == 1


def test_a_worker_taken_for_lost_can_write_nothing_any_more(queue: TaskQueue) -> None:
    task = accepted(queue)
    queue.store.begin(task.id, 1, lease(task, "slow"))
    queue.retry(queue.store.get(task.id), EngineFailed())
    assert queue.store.progress(task.id, 1, lease(task, "slow"), Progress(table.ASR, 0.5)) == "superseded"
    assert queue.store.commit(task.id, 1, "slow", DONE) == "refused"
    assert queue.store.get(task.id).status is TaskStatus.PENDING
    assert queue.store.begin(task.id, 2, lease(queue.store.get(task.id), "next"))
    assert queue.store.commit(task.id, 2, "next", DONE) == "committed"


@pytest.mark.parametrize("begun", [False, True])
def test_a_task_whose_worker_is_gone_is_queued_again(queue: TaskQueue, begun: bool) -> None:
    task = accepted(queue)
    taken_from_queue(queue)
    if begun:
        queue.store.begin(task.id, 1, lease(task))
        queue.store.drop_lease("w")
    queue.sweep()
    assert queue.store.get(task.id).attempt == 2
    assert queue.rq.get_job_ids() == [f"{task.id}-2"]
    assert queue.rq.intermediate_queue.get_job_ids() == []
    assert queue.store.connection.exists(f"rq:job:{task.id}-1") == 0


def test_a_task_in_the_queue_or_with_a_living_worker_is_left_alone(queue: TaskQueue) -> None:
    running, waiting = accepted(queue), accepted(queue)
    taken_from_queue(queue)
    queue.store.begin(running.id, 1, lease(running))
    queue.sweep()
    assert {queue.store.get(task.id).attempt for task in (running, waiting)} == {1}
    assert queue.rq.get_job_ids() == [waiting.rq_id]


def test_a_worker_that_lives_but_has_dropped_its_task_does_not_hold_it(queue: TaskQueue) -> None:
    task = accepted(queue)
    taken_from_queue(queue)
    queue.store.begin(task.id, 1, lease(task))
    queue.store.renew_lease(lease(None))
    queue.sweep()
    assert queue.store.get(task.id).attempt == 2


def test_a_task_that_costs_every_worker_its_life_fails_in_the_end(queue: TaskQueue) -> None:
    task = accepted(queue)
    for _ in range(3):
        taken_from_queue(queue)
        queue.sweep()
    stored = queue.store.get(task.id)
    assert stored.status is TaskStatus.FAILED
    assert stored.error is not None
    assert stored.error["code"] == "worker_lost"
    assert not queue.files.audio(task.id).exists()
    queue.store.reserve("the place is free again")


def test_a_task_is_forgotten_although_its_job_is_half_gone(queue: TaskQueue, stack: Stack) -> None:
    """As while its worker ends: RQ reads a job twice, and removes it by what it reads then."""
    task = accepted(queue)
    job = f"rq:job:{task.rq_id}"
    assert stack.redis().hdel(job, "status")
    queue.forget(task)
    assert not stack.redis().exists(job)


def test_a_redis_that_would_evict_tasks_is_refused(queue: TaskQueue, stack: Stack) -> None:
    require_safe_redis(queue.store.connection)
    stack.redis().config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigurationError, match="allkeys-lru"):
            require_safe_redis(queue.store.connection)
    finally:
        stack.redis().config_set("maxmemory-policy", "noeviction")
