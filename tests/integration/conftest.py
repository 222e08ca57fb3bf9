"""A service's Redis and files without its processes, for tests that do in their own process what those would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from maie.database import connect
from maie.files import Files
from maie.queue import TaskQueue
from maie.settings import Settings
from maie.store import TaskStore
from queue_steps import idle_worker
from stack import Stack


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A service of which only Redis runs."""
    return make_stack()


@pytest.fixture
def queue(stack: Stack) -> TaskQueue:
    """An empty queue with five places and one idle worker; of the tasks that have ended it keeps two."""
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
    idle_worker(stack.redis())
    return TaskQueue(TaskStore(connect(settings), settings), files, settings)
