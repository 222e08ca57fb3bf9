"""``POST /v1/process``: take an upload of audio and queue it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Request, Response

from maie.api.http.request_body import RENEWAL_SECONDS
from maie.api.http.upload import Form, receive_form
from maie.api.options import FEATURES, MAX_INITIAL_PROMPT, MAX_TRACK, parse_options, require_language
from maie.api.routes.acceptance import StillAlive, accept, new_task
from maie.api.schemas import Accepted
from maie.api.service import Service, ServiceOf, problems
from maie.audio.probe import probe
from maie.errors import EmptyAudio
from maie.tasks.model import Task, Upload

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
                    "template_id": {
                        "type": "string",
                        "description": "Template of the summary, one of GET /v1/templates; needed with summary.",
                    },
                    "llm_required": {
                        "type": "boolean",
                        "default": False,
                        "description": "Whether the task fails, its transcript kept, when the language model does; "
                        "otherwise it completes with warnings.",
                    },
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
                    "track": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_TRACK,
                        "description": "Number of the audio track that shall be transcribed, from 1.",
                    },
                },
            }
        }
    },
}

_probers = ThreadPoolExecutor(2, "probe")
"""Each probe is a process that decodes audio: more than two would slow the engine down."""

router = APIRouter(tags=["tasks"])


@router.post(
    "/v1/process",
    status_code=202,
    openapi_extra={"requestBody": _BODY},
    responses=problems(401, 408, 413, 415, 422, 429, 500, 503),
)
async def process(request: Request, response: Response, service: ServiceOf) -> Accepted:
    """Upload audio and have it transcribed.

    The place in the queue is taken before a byte of the body is read. A 503 because Redis is away may come after the
    task was recorded: sending the same again can make a second task.
    """
    return await accept(request, response, service, _receive)


async def _receive(request: Request, task_id: str, service: Service, still_alive: StillAlive) -> Task:
    form: Form = await receive_form(request, task_id, service.files, service.settings, still_alive)
    options = parse_options(form.fields, service.offer)
    require_language(options.language, service.settings)
    if form.size == 0:
        raise EmptyAudio("The file has no bytes.")
    seconds = await _probe(task_id, service, still_alive, options.track)
    return new_task(request, task_id, options, Upload(form.filename or "", form.size, seconds))


async def _probe(task_id: str, service: Service, still_alive: StillAlive, track: int | None = None) -> float | None:
    """Probe the audio when it is its turn; until then its place in the queue is renewed."""
    path = service.files.audio(task_id)
    probing = asyncio.get_running_loop().run_in_executor(_probers, probe, path, service.settings, track)
    try:
        while True:
            await still_alive()
            done, _ = await asyncio.wait([probing], timeout=RENEWAL_SECONDS)
            if done:
                return probing.result()
    finally:
        probing.cancel()
