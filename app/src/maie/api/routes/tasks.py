"""What clients ask about their tasks, and how they end them."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from maie import exports
from maie.api.schemas import TaskDetail, TaskPage, TaskView, results_view, task_view
from maie.api.service import Service, ServiceOf, problems
from maie.domain import TaskResult, TaskStatus
from maie.errors import Conflict, TaskNotFound
from maie.tasks.model import Outcome, Task

CANCEL_SECONDS = 5.0
"""How long the worker of a cancelled task may take to drop it; then the files are deleted anyway."""

MAX_OFFSET = 1_000_000
"""More than any deployment has tasks, and small enough for Redis to add to."""

router = APIRouter(prefix="/v1", tags=["tasks"])


def stored_result(task: Task, service: Service) -> TaskResult:
    """Return the result of a task that has one.

    Raises:
        TaskNotFound: It has been deleted.
    """
    try:
        return TaskResult.of(service.files.read_result(task.id, task.attempt))
    except FileNotFoundError:
        raise TaskNotFound("The task's result has been deleted.") from None


@router.get("/status/{task_id}", responses=problems(401, 404, 500, 503))
def status(task_id: str, service: ServiceOf) -> TaskDetail:
    """How a task is, and its results once it has ended."""
    task = service.store.get(task_id)
    results = results_view(task, stored_result(task, service)) if task.has_result else None
    return TaskDetail(results=results, **task_view(task))


@router.get("/tasks", responses=problems(401, 422, 500, 503))
def tasks(
    service: ServiceOf,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> TaskPage:
    """The tasks of this deployment, newest first, without their results."""
    found = service.store.newest(offset, limit)
    return TaskPage(tasks=[TaskView(**task_view(task)) for task in found], offset=offset, limit=limit)


@router.delete("/tasks/{task_id}", status_code=204, response_class=Response, responses=problems(401, 404, 500, 503))
def delete(task_id: str, service: ServiceOf) -> None:
    """Cancel a task if it is not final, and delete it with all that belongs to it."""
    task = service.store.get(task_id)
    if not task.status.is_final:
        if service.store.commit(task.id, None, "cancelled", Outcome(TaskStatus.CANCELLED)) == "committed":
            _wait_until_released(task.id, service)
        task = service.store.get(task_id)
    service.queue.forget(task)


def _wait_until_released(task_id: str, service: Service) -> None:
    end = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < end:
        if not any(lease.task and lease.task.startswith(task_id) for lease in service.store.leases()):
            return
        time.sleep(0.05)


@router.get(
    "/tasks/{task_id}/transcript.{form}",
    response_class=Response,
    responses={
        200: {"content": {kind: {} for kind in ("application/json", "text/plain", "application/x-subrip", "text/vtt")}},
        **problems(401, 404, 409, 422, 500, 503),
    },
)
def transcript(task_id: str, form: Literal["json", "txt", "srt", "vtt"], service: ServiceOf) -> Response:
    """The transcript of an ended task as a file."""
    task = service.store.get(task_id)
    if not task.has_result:
        raise Conflict(f"The task is {task.status.value} and has no transcript.")
    found = stored_result(task, service).transcript
    if found is None:
        raise Conflict("The task was given text and has no transcript.")
    return Response(exports.render(found, form), media_type=exports.MEDIA_TYPES[form])
