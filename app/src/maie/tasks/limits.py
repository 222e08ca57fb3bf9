"""How long a task may take: from the length of its audio or text, never one flat number."""

from __future__ import annotations

from dataclasses import replace

from maie.settings import Settings
from maie.tasks.model import Task

WORDS_PER_SECOND = 3.0
"""As fast as people speak: how much text the audio becomes is not known in advance."""


DECODE_FACTOR = 0.1
"""Time limit of decoding per second that the file's header claims: it takes a hundredth of that on two x86 cores."""


def decode_seconds(task: Task, settings: Settings) -> float:
    """Return the time limit, in seconds, until the audio's length is known: a header can claim any length."""
    return max(settings.task_timeout_floor, DECODE_FACTOR * _audio_seconds(task, settings))


def with_length(task: Task, seconds: float) -> Task:
    """Return the task with the measured length of its audio, which its other limits follow from."""
    return replace(task, upload=replace(task.upload, seconds=seconds))


def speech_seconds(task: Task, settings: Settings) -> float:
    """Return the time limit, in seconds, of all work before the language model's."""
    return max(settings.task_timeout_floor, settings.task_timeout_factor * _audio_seconds(task, settings))


def llm_seconds(task: Task, stages: int, settings: Settings) -> float:
    """Return the time limit, in seconds, of this many stages of the language model together."""
    words = task.upload.words
    if words is None:
        words = round(WORDS_PER_SECOND * _audio_seconds(task, settings))
    return max(settings.task_timeout_floor, settings.llm_task_timeout_factor * words * stages)


def most_words(settings: Settings) -> int:
    """Return how many words a text may have: as many as the longest audio, so that it takes no longer than that."""
    return round(WORDS_PER_SECOND * settings.max_audio_seconds)


def _audio_seconds(task: Task, settings: Settings) -> float:
    if task.kind == "text":
        return 0.0
    return settings.max_audio_seconds if task.upload.seconds is None else task.upload.seconds
