"""The queue's promises, against a real Redis."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import pytest
import redis
from maie import keys
from maie.database import connect, require_safe_redis
from maie.domain import Progress, Stage, TaskOptions, TaskStatus
from maie.errors import ConfigurationError, EngineFailed, QueueFull, TaskNotFound, Unavailable
from maie.files import Files
from maie.queue import TaskQueue
from maie.settings import Settings
from maie.store import TaskStore
from maie.tasks import Lease, Outcome, Task, Upload, now_iso
from stack import Stack

DONE = Outcome(
    TaskStatus.COMPLETE,
    metrics={
        "input_duration_seconds": 10.0,
        "processing_time_seconds": 4.0,
        "rtf": 0.4,
        "stage_seconds": {"asr": 3.0},
    },
)


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    return make_stack()


@pytest.fixture
def queue(stack: Stack) -> TaskQueue:
    stack.redis().flushall()
    settings = Settings(
        profile="embedded",
        credentials_dir=stack.credentials,
        data_dir=stack.data,
        redis_socket=stack.redis_socket,
        asr_model=stack.folder,
        queue_capacity=5,
        lease_seconds=1.2,
        max_kept_tasks=2,
    )
    files = Files(settings.data_dir)
    files.prepare()
    queue = TaskQueue(TaskStore(connect(settings), settings), files, settings)
    stack.redis().set(keys.lease("idle"), json.dumps(asdict(lease(None, "idle"))))
    stack.redis().sadd(keys.WORKERS, "idle")
    return queue


def accepted(queue: TaskQueue) -> Task:
    task = Task(str(uuid4()), TaskStatus.PENDING, 1, TaskOptions(), Upload("a.wav", 1, 1.0), "k", now_iso())
    queue.store.reserve(task.id)
    audio = queue.files.audio(task.id)
    audio.parent.mkdir()
    audio.write_bytes(b"x")
    queue.accept(task)
    return task


def lease(task: Task | None = None, worker: str = "w") -> Lease:
    return Lease(worker, "r", 1, True, task.rq_id if task else None)


def taken_from_queue(queue: TaskQueue) -> None:
    """Do what a worker does first, and no more."""
    connection: Any = queue.store.connection
    job = connection.lpop(queue.rq.key)
    assert job
    # Redis 6.0 has no command that does both, and there RQ does only the first.
    connection.rpush(queue.rq.intermediate_queue.key, job)


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
    stack.redis().delete(keys.lease("idle"))
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
    stack.redis().zadd(keys.RESERVATIONS, {"0": time.time() - 1})
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
    assert queue.store.progress(task.id, 1, lease(task, "slow"), Progress(Stage.ASR, 0.5)) == "superseded"
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


def test_what_is_past_its_retention_goes(queue: TaskQueue, stack: Stack) -> None:
    old, recent, waiting = accepted(queue), accepted(queue), accepted(queue)
    for task in (old, recent):
        queue.files.write_result(task.id, 1, {})
        queue.store.commit(task.id, 1, "t", DONE)
    stack.redis().zadd(keys.ENDED, {old.id: time.time() - 8 * 86400})
    stack.redis().zadd(keys.ACTIVE, {waiting.id: time.time() - 25 * 3600})
    queue.sweep()
    with pytest.raises(TaskNotFound):
        queue.store.get(old.id)
    assert not queue.files.result(old.id, 1).exists()
    assert queue.store.get(recent.id).status is TaskStatus.COMPLETE
    assert queue.files.result(recent.id, 1).exists()
    assert queue.store.get(waiting.id).error == {
        "code": "expired",
        "detail": "The task waited longer than its audio is kept",
    }


@pytest.fixture
def full(queue: TaskQueue, stack: Stack) -> Iterator[Callable[[], None]]:
    """Bring Redis to its memory limit when called."""
    yield lambda: stack.redis().config_set("maxmemory", 1)
    stack.redis().config_set("maxmemory", 0)


def test_a_full_redis_is_freed_by_what_is_past_its_retention(
    queue: TaskQueue, stack: Stack, full: Callable[[], None]
) -> None:
    old, expired, lost = accepted(queue), accepted(queue), accepted(queue)
    queue.store.commit(old.id, 1, "t", DONE)
    stack.redis().zadd(keys.ENDED, {old.id: time.time() - 8 * 86400})
    stack.redis().zadd(keys.ACTIVE, {expired.id: time.time() - 25 * 3600})
    stack.redis().lrem(queue.rq.key, 0, lost.rq_id)
    full()
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        queue.sweep()
    with pytest.raises(TaskNotFound):
        queue.store.get(old.id)
    stack.redis().config_set("maxmemory", 0)
    queue.sweep()
    assert queue.store.get(expired.id).status is TaskStatus.FAILED
    assert queue.store.get(lost.id).attempt == 2


def test_a_full_redis_with_nothing_to_retire_can_still_be_swept(queue: TaskQueue, full: Callable[[], None]) -> None:
    task = accepted(queue)
    full()
    queue.sweep()
    assert queue.store.unended_ids() == {task.id}


def test_a_sweep_looks_for_lost_tasks_even_if_retention_fails(queue: TaskQueue) -> None:
    task = accepted(queue)
    taken_from_queue(queue)
    queue.files.uploads.rename(queue.files.uploads.with_name("away"))
    try:
        with pytest.raises(FileNotFoundError):
            queue.sweep()
    finally:
        queue.files.uploads.with_name("away").rename(queue.files.uploads)
    assert queue.store.get(task.id).attempt == 2


def test_only_so_many_ended_tasks_are_kept(queue: TaskQueue, stack: Stack) -> None:
    tasks = [accepted(queue) for _ in range(4)]
    for place, task in enumerate(tasks):
        queue.files.write_result(task.id, 1, {})
        queue.store.commit(task.id, 1, "t", DONE)
        stack.redis().zadd(keys.ENDED, {task.id: time.time() - 10 + place})
    queue.sweep()
    assert queue.store.known_ids() == {task.id for task in tasks[2:]}
    assert [queue.files.result(task.id, 1).exists() for task in tasks] == [False, False, True, True]


def test_a_task_that_was_forgotten_by_half_goes(queue: TaskQueue, stack: Stack) -> None:
    task = accepted(queue)
    queue.store.commit(task.id, 1, "t", DONE)
    stack.redis().zadd(keys.ENDED, {task.id: time.time() - 8 * 86400})
    stack.redis().delete(keys.task(task.id))
    queue.sweep()
    assert not queue.store.known_ids()
    assert not stack.redis().exists(keys.ENDED)


def test_files_that_belong_to_nothing_go(queue: TaskQueue) -> None:
    task = accepted(queue)
    queue.store.reserve("under way")
    for name in ("under way", "stray"):
        (queue.files.uploads / name).mkdir()
    stray = queue.files.result("stray", 1)
    fresh = queue.files.result("fresh", 1)
    for path in (stray, fresh):
        path.write_text("{}")
    os.utime(stray, (time.time() - 7200,) * 2)
    queue.sweep()
    assert sorted(queue.files.upload_ids()) == sorted([task.id, "under way"])
    assert not stray.exists()
    assert fresh.exists()
    fresh.unlink()


def test_a_redis_that_would_evict_tasks_is_refused(queue: TaskQueue, stack: Stack) -> None:
    require_safe_redis(queue.store.connection)
    stack.redis().config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigurationError, match="allkeys-lru"):
            require_safe_redis(queue.store.connection)
    finally:
        stack.redis().config_set("maxmemory-policy", "noeviction")
