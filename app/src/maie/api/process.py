"""``POST /v1/process``: take an upload and queue it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import redis
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from maie.api.options import FEATURES, MAX_INITIAL_PROMPT, parse_options, require_language
from maie.api.schemas import Accepted
from maie.api.service import Service, ServiceOf, problems
from maie.api.upload import RENEWAL_SECONDS, Form, receive_form
from maie.domain import TaskStatus
from maie.errors import EmptyAudio
from maie.logs import get_logger
from maie.stages.probe import probe
from maie.tasks import Task, Upload, now_iso

_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "The audio."},
                    "features": {
                        "type": "array",
                        "items": {"type": "string", "enum": list(FEATURES)},
                        "description": "What the result shall hold; repeated, or as a comma-separated list.",
                    },
                    "template_id": {"type": "string", "description": "Template of the summary."},
                    "enable_diarization": {"type": "boolean", "default": False},
                    "language": {"type": "string", "pattern": "^[a-z]{2,3}$", "description": "ISO 639-1 code."},
                    "initial_prompt": {
                        "type": "string",
                        "maxLength": MAX_INITIAL_PROMPT,
                        "description": "Words that the speech model shall expect, such as names.",
                    },
                    "word_timestamps": {
                        "type": "boolean",
                        "default": False,
                        "description": "Whether each segment shall hold its words with their times.",
                    },
                },
            }
        }
    },
}

_reservers = ThreadPoolExecutor(4, "reserve")
"""Threads of their own, so that a refusal never waits behind uploads that are being written or looked at."""

_probers = ThreadPoolExecutor(2, "probe")
"""Each probe is a process of its own that decodes audio: more than two would take the machine from the engine."""

router = APIRouter(tags=["tasks"])
log = get_logger(__name__)


@router.post(
    "/v1/process",
    status_code=202,
    openapi_extra={"requestBody": _BODY},
    responses=problems(401, 408, 413, 415, 422, 429, 500, 503),
)
async def process(request: Request, response: Response, service: ServiceOf) -> Accepted:
    """Upload audio and have it transcribed.

    The place in the queue is taken before a byte of the body is read. A 503 that says Redis is away may come after the
    task was recorded: sending the same again can then make a second task.
    """
    task_id = str(uuid4())
    await asyncio.get_running_loop().run_in_executor(_reservers, service.store.reserve, task_id)
    try:
        task = await _receive(request, task_id, service)
    except BaseException:
        await run_in_threadpool(_give_up, task_id, service)
        raise
    # If this fails the task may have been recorded nevertheless, so the audio stays; the sweep decides.
    await run_in_threadpool(service.queue.accept, task)
    log.info("task accepted", task_id=task_id, key_id=task.key_id, size=task.upload.size, seconds=task.upload.seconds)
    response.headers["Location"] = f"/v1/status/{task_id}"
    return Accepted(task_id=task_id, status=TaskStatus.PENDING)


async def _receive(request: Request, task_id: str, service: Service) -> Task:
    async def still_alive() -> None:
        await run_in_threadpool(service.store.renew_reservation, task_id)

    form: Form = await receive_form(request, task_id, service.files, service.settings, still_alive)
    options = parse_options(form.fields)
    require_language(options.language, service.settings)
    if form.size == 0:
        raise EmptyAudio("The file has no bytes.")
    seconds = await _probe(task_id, service, still_alive)
    return Task(
        id=task_id,
        status=TaskStatus.PENDING,
        attempt=1,
        options=options,
        upload=Upload(form.filename or "", form.size, seconds),
        key_id=request.state.key_id,
        submitted_at=now_iso(),
    )


async def _probe(task_id: str, service: Service, still_alive: Callable[[], Awaitable[None]]) -> float | None:
    """Look at the audio when it is its turn; the place in the queue is kept until then."""
    path = service.files.audio(task_id)
    probing = asyncio.get_running_loop().run_in_executor(_probers, probe, path, service.settings)
    try:
        while True:
            await still_alive()
            done, _ = await asyncio.wait([probing], timeout=RENEWAL_SECONDS)
            if done:
                return probing.result()
    finally:
        probing.cancel()


def _give_up(task_id: str, service: Service) -> None:
    """Leave nothing of an upload that failed; where Redis is away, its place is given back by the clock."""
    service.files.remove_upload(task_id)
    with suppress(redis.RedisError):
        service.store.release_reservation(task_id)
