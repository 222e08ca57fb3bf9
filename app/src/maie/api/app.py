"""The API's application, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis
from fastapi import FastAPI, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from maie.access.keys import KeyRing
from maie.api.http import problems
from maie.api.http.auth_middleware import AuthMiddleware
from maie.api.metrics import ApiMetrics
from maie.api.routes import catalogue, health, process, process_text, tasks
from maie.api.service import Service
from maie.api.service import problems as possible_problems
from maie.logs import get_logger
from maie.notify import notify
from maie.settings import Settings

WATCHDOG_SECONDS = 5.0

log = get_logger(__name__)


def create_app(settings: Settings) -> ASGIApp:
    """Return the API as an ASGI application.

    Raises:
        ConfigurationError: A secret is missing or malformed, or a template can't be used.
    """
    keyring = KeyRing.read(settings.credentials_dir / "api_keys")
    service = Service.of(settings)
    metrics = ApiMetrics(service.store, settings.queue_capacity)
    app = FastAPI(
        title="MAIE",
        version=settings.release,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        responses=possible_problems(400, 431),
    )
    app.state.service = service
    app.state.metrics = metrics
    problems.install(app)
    # The middleware checks keys before anything else is done; this only describes them.
    key = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", auto_error=False)
    for part in (process, process_text, tasks, catalogue):
        app.include_router(part.router, dependencies=[Security(key)])
    app.include_router(health.router)
    description = JSONResponse(_describe(app))

    async def openapi(_: Request) -> Response:
        return description

    app.add_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
    return AuthMiddleware(app, keyring, metrics)


def _describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, without FastAPI's own form of 422: every error is a problem here."""
    description = app.openapi()
    for path in description["paths"].values():
        for operation in path.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        del description["components"]["schemas"][name]
    return description


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    background = [asyncio.create_task(_sweep_regularly(service)), asyncio.create_task(_feed_watchdog(service))]
    yield
    for task in background:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_regularly(service: Service) -> None:
    """Sweep abandoned tasks: the API does so as well, since a dead worker can't."""
    while True:
        try:
            await run_in_threadpool(service.queue.sweep)
        except redis.RedisError as error:
            log.warning("sweep is put off, Redis does not answer", error=str(error))
        except Exception:
            log.exception("sweep failed")
        await asyncio.sleep(service.settings.sweep_seconds)


async def _feed_watchdog(service: Service) -> None:
    """Feed systemd's watchdog: the event loop runs, and a thread has come back from asking Redis.

    What Redis answered does not matter: restarting the API would not bring Redis back.
    """
    while True:
        with suppress(redis.RedisError):
            await run_in_threadpool(service.store.connection.ping)
        notify("WATCHDOG=1")
        await asyncio.sleep(WATCHDOG_SECONDS)
