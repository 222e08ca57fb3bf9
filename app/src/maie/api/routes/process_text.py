"""``POST /v1/process_text``: take text, for the language model alone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool

from maie.api.http.request_body import DISK_RETRY_AFTER, declared_size, receive_body, require_room
from maie.api.options import TEXT_FEATURES, text_options
from maie.api.routes.acceptance import StillAlive, accept, new_task
from maie.api.schemas import Accepted
from maie.api.service import Service, ServiceOf, problems
from maie.domain import Turn
from maie.errors import InvalidRequest, Unavailable, UploadTooLarge
from maie.settings import Settings
from maie.tasks.files import Files
from maie.tasks.limits import most_words
from maie.tasks.model import Task, Upload

MAX_SPEAKER_LENGTH = 100
Speaker = Annotated[str, Field(max_length=MAX_SPEAKER_LENGTH)]


class TextTurn(BaseModel):
    """What one person said before another spoke."""

    model_config = ConfigDict(extra="forbid")

    speaker: Speaker | None = None
    text: str


class TextRequest(BaseModel):
    """Text, and what to do with it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["turns"], "properties": {"turns": {"type": "array"}}},
            ]
        },
    )

    text: str | None = Field(None, description="The text; each line is a turn of a speaker whom nobody knows.")
    turns: list[TextTurn] | None = Field(
        None, fail_fast=True, description="The same as turns, where it is known who said what."
    )
    features: list[str] = Field(
        default_factory=list,
        fail_fast=True,
        description="What the result shall hold; none: clean_transcript.",
        json_schema_extra={"items": {"type": "string", "enum": list(TEXT_FEATURES)}},
    )
    template_id: str | None = Field(None, description="Template of the summary; needed with summary.")
    llm_required: bool = Field(
        True, description="Whether the task fails when the language model does; otherwise it completes with warnings."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> TextRequest:
        if (self.text is None) == (self.turns is None):
            raise ValueError("either text or turns must be given")
        return self

    def all_turns(self) -> list[Turn]:
        """Return the turns that have words."""
        if self.turns is None:
            turns = [Turn(None, line) for line in (self.text or "").splitlines()]
        else:
            turns = [Turn(turn.speaker, turn.text) for turn in self.turns]
        return [turn for turn in turns if turn.text.strip()]


def _schema() -> dict[str, Any]:
    """Return the request's schema with the turn's inlined: in OpenAPI a body's schema has no definitions of its own."""
    schema = TextRequest.model_json_schema()
    turn = schema.pop("$defs")[TextTurn.__name__]
    schema["properties"]["turns"]["anyOf"][0]["items"] = turn
    return schema


_BODY: dict[str, Any] = {"required": True, "content": {"application/json": {"schema": _schema()}}}

router = APIRouter(tags=["tasks"])


@router.post(
    "/v1/process_text",
    status_code=202,
    openapi_extra={"requestBody": _BODY},
    responses=problems(401, 408, 413, 422, 429, 500, 503),
)
async def process_text(request: Request, response: Response, service: ServiceOf) -> Accepted:
    """Send text and have it cleaned or summarised. The rest is as with audio."""
    return await accept(request, response, service, _receive)


async def _receive(request: Request, task_id: str, service: Service, still_alive: StillAlive) -> Task:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("The body must be JSON.")
    accepted = service.settings.max_text_bytes
    declared = declared_size(request, accepted)
    await run_in_threadpool(require_room, service.files, service.settings, declared)
    body = bytearray()
    await receive_body(request, body.extend, accepted, service.files, service.settings, still_alive)
    asked, turns = await run_in_threadpool(_parse, bytes(body))
    options = text_options(asked.features, asked.template_id, asked.llm_required, service.offer)
    words = _count(turns, service.settings)
    await run_in_threadpool(_store, service.files, task_id, turns)
    return new_task(request, task_id, options, Upload("", len(body), None, words))


def _parse(body: bytes) -> tuple[TextRequest, list[Turn]]:
    """Read a request. Of a list only the first mistake is reported: each takes hundreds of times its bytes."""
    try:
        asked = TextRequest.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:3]
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))[:64] or 'body'}: {e['msg']}" for e in found)
        raise InvalidRequest(wrong) from None
    turns = asked.all_turns()
    if not turns:
        raise InvalidRequest("The text has no words.")
    return asked, turns


def _count(turns: list[Turn], settings: Settings) -> int:
    """Return how many words a text has, which sets the task's time limit."""
    words, most = sum(len(turn.text.split()) for turn in turns), most_words(settings)
    if words > most:
        raise UploadTooLarge(f"The text has {words} words, and this deployment accepts {most}.")
    return words


def _store(files: Files, task_id: str, turns: list[Turn]) -> None:
    try:
        files.write_turns(task_id, turns)
    except OSError as error:
        raise Unavailable("The text can't be stored at present.", retry_after=DISK_RETRY_AFTER) from error
