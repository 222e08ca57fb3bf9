"""What goes over the pipe between the worker and the engine process.

To the child: an :class:`~maie.domain.EngineJob`, or None for "end". From the child: :class:`Ready` once, then for each
job any number of :class:`~maie.domain.Progress`, :class:`Interim` and :class:`Alive`, and one
:class:`~maie.domain.TaskResult` or :class:`Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from maie.domain import Progress, TaskResult
from maie.errors import MaieError


@dataclass(frozen=True)
class Ready:
    """The models are loaded.

    Attributes:
        versions: As in the results' ``versions``.
        load_seconds: Time that loading took.
    """

    versions: dict[str, Any]
    load_seconds: float


@dataclass(frozen=True)
class Failed:
    """The job, or the start, ended with an error.

    Attributes:
        fatal: The process ends after this message, because its state can't be trusted any more.
    """

    error: MaieError
    fatal: bool


@dataclass(frozen=True)
class Interim:
    """The result so far; more follows if the process lives that long."""

    result: TaskResult


@dataclass(frozen=True)
class Alive:
    """A sign of life: the process runs, whatever its job is doing."""


FromChild = Ready | Progress | Interim | Alive | TaskResult | Failed
