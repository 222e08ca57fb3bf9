"""What the API answers, as its clients see it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from maie.domain import TaskKind, TaskResult, TaskStatus, to_dict
from maie.pipeline import table
from maie.tasks.model import Task


class Accepted(BaseModel):
    """A task that was accepted."""

    task_id: str
    status: TaskStatus


class FileView(BaseModel):
    """What was uploaded."""

    filename: str = Field(description="The client's name for it, made safe to show; empty for text.")
    size_bytes: int
    duration_seconds: float | None = Field(description="As its container declares it; null for text.")
    words: int | None = Field(description="Of a text; null for audio.")


class ErrorView(BaseModel):
    """Why a task failed."""

    code: str
    detail: str


class WordView(BaseModel):
    """One word; times in seconds from the start of the audio."""

    start: float
    end: float
    text: str
    probability: float | None


class SegmentView(BaseModel):
    """One stretch of speech; times in seconds from the start of the audio."""

    start: float
    end: float
    text: str
    avg_logprob: float | None
    compression_ratio: float
    no_speech_prob: float | None
    words: list[WordView] | None = Field(description="Null unless word_timestamps was asked for.")


class ResultsView(BaseModel):
    """What a task found. Null: not asked for, or missing, which ``warnings`` say."""

    raw_transcript: str | None = Field(description="Null where the task was given text.")
    language: str | None
    segments: list[SegmentView]
    clean_transcript: str | None = Field(description="One line a turn, 'speaker: text' where speakers are known.")
    summary: Any = Field(description="A value that fits the template's schema.")


def results_view(task: Task, result: TaskResult) -> ResultsView:
    """Return what a client gets of a result."""
    transcript, clean, summary = result.transcript, result.clean, result.summary
    return ResultsView(
        raw_transcript=transcript.text if transcript else None,
        language=transcript.language if transcript else None,
        segments=[SegmentView(**to_dict(segment)) for segment in transcript.segments] if transcript else [],
        clean_transcript=clean.text if clean and "clean_transcript" in task.options.features else None,
        summary=summary.value if summary else None,
    )


class TaskView(BaseModel):
    """A task. Times are ISO 8601 in UTC."""

    task_id: str
    status: TaskStatus
    stage: str | None = Field(description=f"What is being done: {', '.join(stage.name for stage in table.STAGES)}.")
    progress: float = Field(description="0 to 1, of the stage.")
    kind: TaskKind = Field(description="What it works on.")
    attempt: int = Field(description="Which try this is; more than 1 after a crash.")
    features: list[str]
    template_id: str | None
    file: FileView
    submitted_at: str
    started_at: str | None
    completed_at: str | None
    versions: dict[str, Any]
    metrics: dict[str, Any]
    warnings: list[str]
    error: ErrorView | None


class TaskDetail(TaskView):
    """A task with its results."""

    results: ResultsView | None


class TaskPage(BaseModel):
    """A part of the list of tasks, newest first."""

    tasks: list[TaskView]
    offset: int
    limit: int


class ModelView(BaseModel):
    """A model that this deployment uses."""

    id: str
    kind: str
    engine: str
    device: str | None = Field(description="Null where a server has the model.")
    compute_type: str | None


class ModelList(BaseModel):
    """The models of this deployment."""

    models: list[ModelView]


class TemplateView(BaseModel):
    """What a summary can be made with."""

    id: str
    name: str
    description: str
    language: str = Field(description="ISO 639-1 code of the language that its prompt is written in.")
    example: Any = Field(description="A summary that fits its schema.")


class TemplateList(BaseModel):
    """The templates of this deployment."""

    templates: list[TemplateView]


class Health(BaseModel):
    """The API process lives."""

    status: str


class Readiness(BaseModel):
    """Whether tasks that are accepted now will be worked on."""

    ready: bool
    release: str
    profile: str
    parts: dict[str, str] = Field(description="redis, worker, engine, llm, disk: each 'up', 'down' or 'unused'.")


def task_view(task: Task) -> dict[str, Any]:
    """Return the fields of a :class:`TaskView`."""
    return {
        "task_id": task.id,
        "status": task.status,
        "stage": task.stage or None,
        "progress": task.progress,
        "kind": task.kind,
        "attempt": task.tries,
        "features": list(task.options.features),
        "template_id": task.options.template_id,
        "file": {
            "filename": task.upload.filename,
            "size_bytes": task.upload.size,
            "duration_seconds": task.upload.seconds,
            "words": task.upload.words,
        },
        "submitted_at": task.submitted_at,
        "started_at": task.started_at,
        "completed_at": task.ended_at,
        "versions": task.versions,
        "metrics": task.metrics,
        "warnings": list(task.warnings),
        "error": task.error,
    }
