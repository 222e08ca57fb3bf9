"""The values that travel between the stages, the engine process and the queue.

All are frozen and hold plain data only, so that each can be written as JSON (:func:`to_dict`). Times are seconds from
the start of the audio, as floats.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

SAMPLE_RATE = 16_000
"""Samples per second of all audio after the decode stage (mono)."""

TaskKind = Literal["audio", "text"]
"""What a task works on."""


class TaskStatus(str, Enum):
    """Where a task is; the last three are final."""

    PENDING = "PENDING"
    PREPROCESSING = "PREPROCESSING"
    PROCESSING_ASR = "PROCESSING_ASR"
    PROCESSING_LLM = "PROCESSING_LLM"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether the task can't change any more."""
        return self in (TaskStatus.COMPLETE, TaskStatus.FAILED, TaskStatus.CANCELLED)


Need = Literal["nothing", "speech_model", "language_model"]
"""The model that a stage works with."""


@dataclass(frozen=True)
class StageCounter:
    """A metric of the service, ``maie_<name>_total``: the sum of one of a stage's metrics over all completed tasks.

    Attributes:
        metric: Its key in a result's ``metrics``.
    """

    name: str
    description: str
    metric: str


@dataclass(frozen=True)
class Stage:
    """One row of :mod:`maie.pipeline.table`. It travels with the progress, so that nobody has to look it up.

    Attributes:
        name: As clients see it; ``run`` in the module of this name in :mod:`maie.stages` is what does the work.
        status: The task status that clients see meanwhile.
        works_on: The audio, which only tasks of audio have, or the words of a transcript or text.
        features: The features of the API that ask for it.
        needs: The model that must be there. It also says who does the work (a processor, a GPU, a server), which time
            limit counts, and in which phase of the memory plan the stage is.
        loss: What the result lacks when the stage fails, as part of a sentence, and why the stage runs only when it is
            asked for. None: it always runs, and the task fails with it.
        memory: Bytes that it takes while it runs, beside its model and what the plan's engine process has anyway.
        counters: What ``/metrics`` sums of it, beside its seconds.
    """

    name: str
    status: TaskStatus
    works_on: Literal["audio", "words"]
    features: tuple[str, ...] = ()
    needs: Need = "nothing"
    loss: str | None = None
    memory: int = 0
    counters: tuple[StageCounter, ...] = ()


@dataclass(frozen=True)
class TaskOptions:
    """What the client asked for, validated.

    Attributes:
        features: What the result shall hold, e.g. ``("raw_transcript",)``.
        language: ISO 639-1 code, or None to let the model decide.
        initial_prompt: Words that the speech model shall expect, such as names; None for none.
        word_timestamps: Whether each segment shall hold its words with their times.
        track: Number of the audio track, from 1; None to leave the choice to the service.
        template_id: Template of the summary; None where none is asked for.
        llm_required: Whether the task fails when the language model does; its transcript stays.
    """

    features: tuple[str, ...] = ("raw_transcript",)
    language: str | None = None
    initial_prompt: str | None = None
    word_timestamps: bool = False
    track: int | None = None
    template_id: str | None = None
    llm_required: bool = False

    @classmethod
    def of(cls, stored: dict[str, Any]) -> TaskOptions:
        """Return the options that :func:`to_dict` wrote, perhaps in another release: what is not known is left out."""
        known = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        return cls(**{**known, "features": tuple(stored["features"])})


@dataclass(frozen=True)
class Turn:
    """What one person says before another speaks; ``speaker`` is None where nobody knows who it is."""

    speaker: str | None
    text: str


@dataclass(frozen=True)
class Span:
    """A stretch of the audio, in seconds; ``end`` is exclusive."""

    start: float
    end: float


@dataclass(frozen=True)
class Word:
    """One recognised word.

    Attributes:
        probability: Of its tokens, 0 to 1; None where the engine does not say.
    """

    start: float
    end: float
    text: str
    probability: float | None


@dataclass(frozen=True)
class Segment:
    """One recognised stretch of speech.

    Attributes:
        avg_logprob: Mean log-probability of the tokens, ≤ 0; None where the engine does not say.
        compression_ratio: Of the text; loops of the decoder show as values above about 2.4.
        no_speech_prob: The model's own estimate, 0 to 1; None where the engine does not say.
        words: The words with their times; None where they were not asked for.
    """

    start: float
    end: float
    text: str
    avg_logprob: float | None
    compression_ratio: float
    no_speech_prob: float | None
    words: tuple[Word, ...] | None = None


@dataclass(frozen=True)
class Transcript:
    """What the ASR stage found in one audio file."""

    language: str
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The segments' texts, joined by single spaces."""
        return " ".join(segment.text.strip() for segment in self.segments)

    @classmethod
    def of(cls, stored: Any) -> Transcript:
        """Return the transcript that :func:`to_dict` wrote; raises ValueError where it is something else."""
        return _TRANSCRIPT.validate_python(stored)


@dataclass(frozen=True)
class CleanTranscript:
    """The transcript as a language model cleaned it.

    Attributes:
        text: One line a turn, ``speaker: text`` or the text alone.
        edit_rate: Words left out, put in or replaced per raw word, whatever their letter case and punctuation.
        fallbacks: Lines left as they were recognised, because the model's version can't be trusted.
        warnings: Sentences for the client about them.
    """

    text: str
    edit_rate: float
    fallbacks: int
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Summary:
    """What a language model wrote for a template.

    Attributes:
        value: A value that fits the template's schema.
        parts: How many parts the transcript was read in.
        warnings: Sentences for the client about what had to be left out when the parts were merged.
    """

    template_id: str
    value: Any
    parts: int
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class EngineJob:
    """One piece of work for the engine process.

    Attributes:
        source: The audio, or the turns as :func:`maie.tasks.files.read_turns` reads them.
        begun: What the audio has come to in another process: only the stages of the language model are left.
    """

    task_id: str
    source: Path
    options: TaskOptions
    kind: TaskKind = "audio"
    begun: TaskResult | None = None


@dataclass(frozen=True)
class Progress:
    """How far a stage is.

    Attributes:
        fraction: 0 to 1, of this stage.
        audio_seconds: Length of the audio, told once: as soon as it is known.
    """

    stage: Stage
    fraction: float
    audio_seconds: float | None = None


@dataclass(frozen=True)
class TaskResult:
    """All that the pipeline found.

    Attributes:
        transcript: None where the task was given text.
        metrics: ``processing_time_seconds`` and ``stage_seconds`` by stage. Of audio also ``input_duration_seconds``,
            ``rtf`` (processing / audio seconds), ``vad_coverage`` (0 to 1) and ``asr_confidence_avg`` (0 to 1), of text
            ``input_words``, and with ``enhancement_metrics`` ``edit_rate_cleaning`` (changed words / words) and
            ``lines_left_raw``.
        versions: Names and versions of pipeline, engine and models.
        warnings: Sentences for the client about what is missing or doubtful.
        clean: None where it was not asked for, or is missing.
        summary: The same.
        error: ``{code, detail}`` where the task fails in spite of a result, because the client required the language
            model.
    """

    transcript: Transcript | None
    metrics: dict[str, Any]
    versions: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())
    clean: CleanTranscript | None = None
    summary: Summary | None = None
    error: dict[str, str] | None = None

    @classmethod
    def of(cls, stored: Any, strictly: bool = False) -> TaskResult:
        """Return the result that :func:`to_dict` wrote.

        Args:
            stored: What was written, perhaps by another release.
            strictly: Refuse what this release does not know, instead of leaving it out.

        Raises:
            ValueError: It is something else.
        """
        return _RESULT.validate_python(stored, extra="forbid" if strictly else "ignore")


def to_dict(value: Any) -> dict[str, Any]:
    """Return a dataclass of this module as a dictionary that ``json.dumps`` takes."""
    return asdict(value)


_TRANSCRIPT, _RESULT = TypeAdapter(Transcript), TypeAdapter(TaskResult)
"""What reads them from plain data."""
