"""Errors as ``application/problem+json`` (RFC 9457), the only form in which any error leaves the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from maie.errors import InvalidRequest, MaieError, Unavailable
from maie.logs import get_logger

REDIS_RETRY_AFTER = 5
"""Seconds after which a client may try again while Redis is away."""

log = get_logger(__name__)


class Problem(BaseModel):
    """An error, as of RFC 9457."""

    type: str = Field(description="URN of the kind of error.", examples=["urn:maie:error:queue_full"])
    title: str = Field(description="The kind of error, in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What is wrong with this request.")
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="Stable name of the kind of error.", examples=["queue_full"])


class ProblemResponse(JSONResponse):
    """A response that carries a :class:`Problem`."""

    media_type = "application/problem+json"


def problem(error: MaieError, instance: str) -> ProblemResponse:
    """Return the response for ``error`` on the path ``instance``."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'ApiKey header="X-API-Key"'
    return _response(error.http_status, error.code, error.title, error.detail, instance, headers)


def _response(
    status: int, code: str, title: str, detail: str, instance: str, headers: dict[str, str]
) -> ProblemResponse:
    body = Problem(
        type=f"urn:maie:error:{code}", title=title, status=status, detail=detail, instance=instance, code=code
    )
    return ProblemResponse(body.model_dump(), status_code=status, headers=headers)


async def _on_maie_error(request: Request, error: MaieError) -> ProblemResponse:
    return problem(error, request.url.path)


async def _on_redis_error(request: Request, error: redis.RedisError) -> ProblemResponse:
    log.error("Redis failed", error=f"{type(error).__name__}: {error}")
    return problem(Unavailable(retry_after=REDIS_RETRY_AFTER), request.url.path)


async def _on_http_error(request: Request, error: HTTPException) -> ProblemResponse:
    """Errors of routing: an unknown path, or a method that the path does not have."""
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    return _response(status, status.name.lower(), status.phrase, status.description, request.url.path, headers)


async def _on_validation_error(request: Request, error: RequestValidationError) -> ProblemResponse:
    wrong = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
    return problem(InvalidRequest(wrong), request.url.path)


async def _on_unexpected(request: Request, _error: Exception) -> ProblemResponse:
    """Anything else. Its text is only for the log, where the middleware writes it."""
    return problem(MaieError(), request.url.path)


# The handlers are coroutines, since a plain function would wait for one of the threads that slow work may all have.
_HANDLERS: dict[type[Exception], Any] = {
    MaieError: _on_maie_error,
    redis.RedisError: _on_redis_error,
    HTTPException: _on_http_error,
    RequestValidationError: _on_validation_error,
    Exception: _on_unexpected,
}


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error with a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
