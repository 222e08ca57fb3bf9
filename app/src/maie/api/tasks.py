"""What clients ask about their tasks, and how they end them."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from maie import exports
from maie.api.schemas import ModelList, ModelView, ResultsView, TaskDetail, TaskPage, TaskView, task_view
from maie.api.service import Service, ServiceOf, problems
from maie.domain import TaskStatus, Transcript, to_dict
from maie.errors import Conflict, TaskNotFound
from maie.modelfiles import model_name
from maie.tasks import Outcome, Task

CANCEL_SECONDS = 5.0
"""How long a cancelled task's worker has to let go of it before its files are deleted anyway."""

MAX_OFFSET = 1_000_000
"""More tasks than any deployment keeps, and a number that Redis can add to."""

router = APIRouter(prefix="/v1", tags=["tasks"])


def stored_transcript(task: Task, service: Service) -> Transcript:
    """Read the transcript of a complete task.

    Raises:
        TaskNotFound: Its result has been deleted.
    """
    try:
        stored = service.files.read_result(task.id, task.attempt)["transcript"]
    except FileNotFoundError:
        raise TaskNotFound("The task's result has been deleted.") from None
    return Transcript.of(stored)


@router.get("/status/{task_id}", responses=problems(401, 404, 500, 503))
def status(task_id: str, service: ServiceOf) -> TaskDetail:
    """How a task is, and its results once it is complete."""
    task = service.store.get(task_id)
    results = None
    if task.status is TaskStatus.COMPLETE:
        transcript = stored_transcript(task, service)
        results = ResultsView.model_validate(
            {
                "raw_transcript": transcript.text,
                "language": transcript.language,
                "segments": [to_dict(segment) for segment in transcript.segments],
            }
        )
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
    """The transcript of a complete task as a file."""
    task = service.store.get(task_id)
    if task.status is not TaskStatus.COMPLETE:
        raise Conflict(f"The task is {task.status.value}; only a complete one has a transcript.")
    return Response(exports.render(stored_transcript(task, service), form), media_type=exports.MEDIA_TYPES[form])


@router.get("/models", responses=problems(401, 500))
def models(service: ServiceOf) -> ModelList:
    """The models of this deployment."""
    settings = service.settings
    return ModelList(
        models=[
            ModelView(
                id=model_name(settings.asr_model),
                kind="asr",
                engine="faster-whisper",
                device=settings.asr_device,
                compute_type=settings.asr_compute_type,
            )
        ]
    )
