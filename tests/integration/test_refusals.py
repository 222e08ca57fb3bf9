"""The API inside the test's own process, with a real Redis: what a busy or full service still does at once."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from maie.api.app import create_app
from maie.api.routes import process
from maie.api.service import Service
from maie.domain import TaskOptions, TaskStatus
from maie.settings import Settings
from maie.tasks import redis_keys
from maie.tasks.model import Outcome, Task, Upload, now_iso
from starlette.concurrency import run_in_threadpool
from support.queue_steps import idle_worker
from support.stack import KEY, Stack


@pytest.fixture
def settings(stack: Stack) -> Settings:
    stack.redis().flushall()
    idle_worker(stack.redis())
    return stack.settings(queue_capacity=1)


def client(settings: Settings) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings))
    return httpx.AsyncClient(transport=transport, base_url="http://x", headers={"X-API-Key": KEY}, timeout=None)


def test_a_refusal_waits_for_none_of_the_threads_that_slow_work_has(settings: Settings) -> None:
    Service.of(settings).store.reserve("the only place")
    released = threading.Event()

    async def main() -> httpx.Response:
        slow = [asyncio.create_task(run_in_threadpool(released.wait)) for _ in range(40)]
        await asyncio.sleep(0.1)
        try:
            async with client(settings) as api:
                return await asyncio.wait_for(api.post("/v1/process", files={"file": b"x"}), 2)
        finally:
            released.set()
            await asyncio.gather(*slow)

    assert asyncio.run(main()).status_code == 429


def test_an_ended_task_can_be_deleted_from_a_full_redis(settings: Settings, stack: Stack) -> None:
    service = Service.of(settings)
    service.files.prepare()
    task = Task("ended", TaskStatus.PENDING, 1, TaskOptions(), Upload("a.wav", 1, 1.0), "k", now_iso())
    service.queue.accept(task)
    service.store.commit(task.id, 1, "t", Outcome(TaskStatus.CANCELLED))

    async def main() -> list[int]:
        async with client(settings) as api:
            return [(await api.delete("/v1/tasks/ended")).status_code for _ in range(2)]

    stack.redis().config_set("maxmemory", 1)
    try:
        assert asyncio.run(main()) == [204, 404]
    finally:
        stack.redis().config_set("maxmemory", 0)
    assert not stack.redis().exists(redis_keys.task("ended"), redis_keys.TASKS, redis_keys.ENDED, "rq:job:ended-1")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/tasks?offset=9223372036854775807", 422), ("/v1/tasks?offset=1000000", 200), ("/v1/tasks/", 404)],
)
def test_paths_and_numbers_beyond_what_there_is(settings: Settings, path: str, status: int) -> None:
    async def main() -> int:
        async with client(settings) as api:
            return (await api.get(path)).status_code

    assert asyncio.run(main()) == status


def test_two_files_at_a_time_are_looked_at_and_the_others_keep_their_places(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most, renewals = 0, 0, dict.fromkeys("abcdef", 0)
    lock = threading.Lock()

    def slow_probe(path: Path, _: Settings, track: int | None) -> float:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.1)
        with lock:
            at_work -= 1
        return 1.0

    async def probed(name: str) -> float | None:
        async def still_alive() -> None:
            renewals[name] += 1

        service: Any = SimpleNamespace(settings=settings, files=Service.of(settings).files)
        return await process._probe(name, service, still_alive)

    async def main() -> list[float | None]:
        return await asyncio.gather(*map(probed, renewals))

    monkeypatch.setattr(process, "probe", slow_probe)
    monkeypatch.setattr(process, "RENEWAL_SECONDS", 0.05)
    assert asyncio.run(main()) == [1.0] * 6
    assert most == 2
    assert renewals["f"] > 3
