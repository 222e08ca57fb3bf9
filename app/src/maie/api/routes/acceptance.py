"""How any task is accepted: first a place in the queue, then the body, then the task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import redis
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from maie.api.schemas import Accepted
from maie.api.service import Service
from maie.domain import TaskOptions, TaskStatus
from maie.logs import get_logger
from maie.tasks.model import Task, Upload, now_iso

StillAlive = Callable[[], Awaitable[None]]
"""Keeps the place in the queue while something is being received."""

Receive = Callable[[Request, str, Service, StillAlive], Awaitable[Task]]
"""Reads a request's body into the files of the task of this id, and returns the task."""

_reservers = ThreadPoolExecutor(4, "reserve")
"""Threads of their own, so that a refusal never waits for uploads that are being written or probed."""

log = get_logger(__name__)


async def accept(request: Request, response: Response, service: Service, receive: Receive) -> Accepted:
    """Take a place in the queue before a byte of the body is read, receive the task, and queue it.

    Raises:
        MaieError: There is no place, or the body can't be used; nothing of it is left.
    """
    task_id = str(uuid4())

    async def still_alive() -> None:
        await run_in_threadpool(service.store.renew_reservation, task_id)

    await asyncio.get_running_loop().run_in_executor(_reservers, service.store.reserve, task_id)
    try:
        task = await receive(request, task_id, service, still_alive)
    except BaseException:
        await run_in_threadpool(_give_up, task_id, service)
        raise
    # If this fails, the task may be recorded nevertheless: the upload stays, and the sweep decides.
    await run_in_threadpool(service.queue.accept, task)
    sent = task.upload
    log.info(
        "task accepted", task_id=task_id, key_id=task.key_id, size=sent.size, seconds=sent.seconds, words=sent.words
    )
    response.headers["Location"] = f"/v1/status/{task_id}"
    return Accepted(task_id=task_id, status=TaskStatus.PENDING)


def new_task(request: Request, task_id: str, options: TaskOptions, upload: Upload) -> Task:
    """Return the task of a request."""
    return Task(
        id=task_id,
        status=TaskStatus.PENDING,
        attempt=1,
        options=options,
        upload=upload,
        key_id=request.state.key_id,
        submitted_at=now_iso(),
    )


def _give_up(task_id: str, service: Service) -> None:
    """Leave nothing of a failed upload. Where Redis is away, its place expires by itself."""
    service.files.remove_upload(task_id)
    with suppress(redis.RedisError):
        service.store.release_reservation(task_id)
