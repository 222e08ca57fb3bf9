"""What all routes share: the settings and the parts of the service, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from maie.access.offer import Offer
from maie.api.http.problems import Problem
from maie.api.llm_probe import LlmProbe
from maie.settings import Settings
from maie.tasks.files import Files
from maie.tasks.queue import TaskQueue
from maie.tasks.redis_client import connect
from maie.tasks.store import TaskStore


@dataclass(frozen=True)
class Service:
    """The parts of the service that the API works with."""

    settings: Settings
    store: TaskStore
    queue: TaskQueue
    files: Files
    offer: Offer
    llm_probe: LlmProbe

    @classmethod
    def of(cls, settings: Settings) -> Service:
        """Make the parts; nothing is contacted yet.

        Raises:
            ConfigurationError: A secret is missing, or a template can't be used.
        """
        files = Files(settings.data_dir)
        store = TaskStore(connect(settings), settings)
        queue = TaskQueue(store, files, settings)
        return cls(settings, store, queue, files, Offer.of(settings), LlmProbe(settings))


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the given error statuses."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": "Problem (RFC 9457)", "content": content} for status in statuses}
