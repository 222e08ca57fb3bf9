"""What goes in time: ended tasks, audio that waited too long, stray files. Against a real Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from maie.domain import TaskStatus
from maie.errors import TaskNotFound
from maie.tasks import redis_keys
from maie.tasks.queue import TaskQueue
from support.queue_steps import DONE, accepted, taken_from_queue
from support.stack import Stack


def test_what_is_past_its_retention_goes(queue: TaskQueue, stack: Stack) -> None:
    old, recent, waiting = accepted(queue), accepted(queue), accepted(queue)
    for task in (old, recent):
        queue.files.write_result(task.id, 1, {})
        queue.store.commit(task.id, 1, "t", DONE)
    stack.redis().zadd(redis_keys.ENDED, {old.id: time.time() - 8 * 86400})
    stack.redis().zadd(redis_keys.ACTIVE, {waiting.id: time.time() - 25 * 3600})
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
    stack.redis().zadd(redis_keys.ENDED, {old.id: time.time() - 8 * 86400})
    stack.redis().zadd(redis_keys.ACTIVE, {expired.id: time.time() - 25 * 3600})
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
        stack.redis().zadd(redis_keys.ENDED, {task.id: time.time() - 10 + place})
    queue.sweep()
    assert queue.store.known_ids() == {task.id for task in tasks[2:]}
    assert [queue.files.result(task.id, 1).exists() for task in tasks] == [False, False, True, True]


def test_a_task_that_was_forgotten_by_half_goes(queue: TaskQueue, stack: Stack) -> None:
    task = accepted(queue)
    queue.store.commit(task.id, 1, "t", DONE)
    stack.redis().zadd(redis_keys.ENDED, {task.id: time.time() - 8 * 86400})
    stack.redis().delete(redis_keys.task(task.id))
    queue.sweep()
    assert not queue.store.known_ids()
    assert not stack.redis().exists(redis_keys.ENDED)


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
