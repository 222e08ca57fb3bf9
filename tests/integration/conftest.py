"""A service's Redis and files without its processes, for tests that do in their own process what those would.

And a service whose speech engine and language model's server take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from maie.engine import Engine
from maie.settings import Settings
from maie.tasks.files import Files
from maie.tasks.queue import TaskQueue
from maie.tasks.redis_client import connect
from maie.tasks.store import TaskStore
from support.audiofiles import MODEL
from support.processes import free_port
from support.queue_steps import idle_worker
from support.stack import Stack
from support.swapping import Swapping, Units


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A service of which only Redis runs."""
    return make_stack()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The embedded profile's speech engine, started."""
    engine = Engine(Settings(profile="embedded", asr_model=MODEL))
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def queue(stack: Stack) -> TaskQueue:
    """An empty queue with five places and one idle worker; of the tasks that have ended it keeps two."""
    stack.redis().flushall()
    settings = stack.settings(queue_capacity=5, lease_seconds=1.2, max_kept_tasks=2)
    files = Files(settings.data_dir)
    files.prepare()
    idle_worker(stack.redis())
    return TaskQueue(TaskStore(connect(settings), settings), files, settings)


@pytest.fixture
def make_swapping(own_stack: Callable[..., Stack], tmp_path: Path) -> Iterator[Callable[..., Swapping]]:
    """Make one, with nothing started but Redis and the units' double. Settings as for :class:`Stack`."""
    made: list[Units] = []

    def make(start_seconds: float = 0.0, **settings: Any) -> Swapping:
        port = free_port()
        made.append(Units(tmp_path, port, start_seconds))
        of_llm = {"llm_backend": "openai", "llm_url": f"http://127.0.0.1:{port}/v1", "llm_start_seconds": 5}
        return own_stack(llm_residency="swap", run_dir=tmp_path, **of_llm, **settings), made[-1]

    yield make
    for units in made:
        units.process.kill()
        units.process.wait()
