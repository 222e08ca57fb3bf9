"""What the service knows of one task, as Redis stores it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from maie.domain import TaskKind, TaskOptions, TaskStatus, to_dict


def now_iso() -> str:
    """The present time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Upload:
    """What was uploaded: an audio file, or text.

    Attributes:
        filename: The client's name for it, sanitised; never used as a path. Empty for text.
        size: Bytes.
        seconds: Declared length of the audio, where the container declares one.
        words: Of the text; None for audio.
    """

    filename: str
    size: int
    seconds: float | None
    words: int | None = None


@dataclass(frozen=True)
class Task:
    """One task. Times are ISO 8601 in UTC.

    Attributes:
        attempt: Number of the current attempt, from 1; whoever holds another number can no longer change anything.
        parked: Whether it has let other tasks go first, to share one start of the language model with them.
        worker: Name of the worker that began the current attempt.
        progress: 0 to 1, of the stage.
        commits: How often its end was written; never above 1.
        has_result: Whether there is a result to read; a task that failed may have one.
    """

    id: str
    status: TaskStatus
    attempt: int
    options: TaskOptions
    upload: Upload
    key_id: str
    submitted_at: str
    started_at: str | None = None
    ended_at: str | None = None
    worker: str | None = None
    stage: str | None = None
    progress: float = 0.0
    error: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    commits: int = 0
    has_result: bool = False
    parked: bool = False

    @property
    def tries(self) -> int:
        """Which try the current attempt is: the earlier ones were lost, except for the one that parked it."""
        return self.attempt - self.parked

    @property
    def rq_id(self) -> str:
        """Id of the RQ job that runs the current attempt."""
        return f"{self.id}-{self.attempt}"

    @property
    def kind(self) -> TaskKind:
        """What the task works on."""
        return "audio" if self.upload.words is None else "text"

    def fields(self) -> dict[str, str]:
        """The fields of a new task's hash."""
        # The words have a field of their own: an older release would reject them in `upload`.
        words = {} if self.upload.words is None else {"words": str(self.upload.words)}
        return words | {
            "id": self.id,
            "status": self.status.value,
            "attempt": str(self.attempt),
            "options": json.dumps(to_dict(self.options)),
            "upload": json.dumps(
                {"filename": self.upload.filename, "size": self.upload.size, "seconds": self.upload.seconds}
            ),
            "key_id": self.key_id,
            "submitted_at": self.submitted_at,
        }


def parse_task(raw: dict[bytes, bytes]) -> Task | None:
    """Read a task from its hash; None where there is none."""
    text = {name.decode(): value.decode() for name, value in raw.items()}
    if "status" not in text:
        return None
    status = TaskStatus(text["status"])
    words = int(text["words"]) if "words" in text else None
    return Task(
        id=text["id"],
        status=status,
        attempt=int(text["attempt"]),
        options=TaskOptions.of(json.loads(text["options"])),
        upload=Upload(**json.loads(text["upload"]), words=words),
        key_id=text["key_id"],
        submitted_at=text["submitted_at"],
        started_at=text.get("started_at"),
        ended_at=text.get("ended_at"),
        worker=text.get("worker"),
        stage=text.get("stage"),
        progress=float(text.get("progress", 0)),
        error=json.loads(text["error"]) if "error" in text else None,
        metrics=json.loads(text.get("metrics", "{}")),
        versions=json.loads(text.get("versions", "{}")),
        warnings=tuple(json.loads(text.get("warnings", "[]"))),
        commits=int(text.get("commits", 0)),
        has_result=status is TaskStatus.COMPLETE or "has_result" in text,
        parked="parked" in text,
    )


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        status: One of the final ones.
        error: ``{code, detail}`` of a failure.
        has_result: Whether a failed task has a result nevertheless: its transcript, without what is missing.
        counted: What its stages add to the service's counters, by their names.
    """

    status: TaskStatus
    error: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    has_result: bool = False
    counted: Mapping[str, float] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """The fields that a task's end writes."""
        written = {
            "status": self.status.value,
            "ended_at": now_iso(),
            "metrics": json.dumps(self.metrics),
            "versions": json.dumps(self.versions),
            "warnings": json.dumps(self.warnings),
        }
        if self.status is TaskStatus.COMPLETE:
            written["progress"] = "1"
        if self.has_result:
            written["has_result"] = "1"
        if self.error is not None:
            written["error"] = json.dumps(self.error)
        return written


@dataclass(frozen=True)
class Lease:
    """What a living worker says of itself.

    Attributes:
        engine_ready: Whether its engine has its models loaded, or will load them again with the next task.
        task: RQ id of the attempt that it works on.
    """

    worker: str
    release: str
    pid: int
    engine_ready: bool
    task: str | None = None
