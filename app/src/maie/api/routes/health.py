"""Whether the service lives, whether it is ready, and its metrics. None of them needs a key."""

from __future__ import annotations

import redis
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from maie import backends
from maie.api.metrics import ApiMetrics
from maie.api.schemas import Health, Readiness
from maie.api.service import Service, ServiceOf

router = APIRouter(tags=["operation"])


@router.head("/health")
@router.get("/health")
async def health() -> Health:
    """The process answers. It says nothing of Redis or the worker, whose trouble must not restart the API."""
    return Health(status="ok")


@router.head("/ready", responses={503: {"model": Readiness}})
@router.get("/ready", responses={503: {"model": Readiness}})
def ready(response: Response, service: ServiceOf) -> Readiness:
    """Whether every part that the profile needs is up; 503 if not."""
    parts = parts_of(service)
    is_ready = "down" not in parts.values()
    response.status_code = 200 if is_ready else 503
    settings = service.settings
    return Readiness(ready=is_ready, release=settings.release, profile=settings.profile, parts=parts)


def parts_of(service: Service) -> dict[str, str]:
    """Return the state of each part. A worker of another release does not count: it does not run this code."""
    try:
        leases = [lease for lease in service.store.leases() if lease.release == service.settings.release]
        redis_up = True
    except redis.RedisError:
        leases, redis_up = [], False
    engine_ready = any(lease.engine_ready for lease in leases)
    return {
        "redis": _state(redis_up),
        "worker": _state(bool(leases)),
        "engine": _state(engine_ready),
        "llm": _llm_state(service, bool(leases), engine_ready),
        "disk": _state(_disk_up(service)),
    }


def _llm_state(service: Service, worker_lives: bool, engine_ready: bool) -> str:
    """Return the state of the language model.

    In the engine process it is loaded before that is ready; a server is asked. A server that takes turns with it is
    down while nobody needs it: the worker starts it for a task.
    """
    settings = service.settings
    if settings.llm_backend == "none":
        return "unused"
    if backends.LLM[settings.llm_backend].in_process:
        return _state(engine_ready)
    return _state(worker_lives if settings.llm_residency == "swap" else service.llm_probe.up())


def _disk_up(service: Service) -> bool:
    try:
        return service.files.free_bytes() >= service.settings.min_free_bytes
    except OSError:
        return False


def _state(up: bool) -> str:
    return "up" if up else "down"


@router.head("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """All metrics, in Prometheus' text format."""
    collected: ApiMetrics = request.app.state.metrics
    return Response(generate_latest(collected.registry), media_type=CONTENT_TYPE_LATEST)
