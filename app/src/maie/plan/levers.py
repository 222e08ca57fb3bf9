"""What can be given up to make a configuration fit, the least harmful first, and how much memory that saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from maie.plan import needs
from maie.plan.phases import PlannedModels
from maie.settings import Settings

CONTEXT_STEP = 1024
USEFUL_CONTEXT, LEAST_CONTEXT = 3072, 2048
"""Tokens down to which a shorter context is better than a slower server, and below which parts get too short."""

LEAST_BATCH = 512
"""Tokens in a step of the server; with fewer, a long prompt is slow."""


Lacks = Mapping[tuple[str, str], int]
"""The bytes that each phase lacks of each memory; negative where some are left over."""


@dataclass(frozen=True)
class Lever:
    """One setting that can be lowered.

    Attributes:
        values: Its lower values, the highest first.
        cost: What it costs, as part of a sentence.
    """

    setting: str
    values: tuple[Any, ...]
    cost: str


@dataclass(frozen=True)
class Move:
    """What became of one lever.

    Attributes:
        value: What the setting would be, or is from now on.
        before: What it was.
        saves: Bytes that it saves where the most is lacking.
        applied: Whether it was moved; one whose setting was given on purpose is not.
    """

    setting: str
    value: Any
    before: Any
    saves: int
    cost: str
    applied: bool


def levers(models: PlannedModels, settings: Settings) -> Iterator[Lever]:
    """Yield the levers of a configuration."""
    if models.llm is not None:
        context = needs.llm_context(models.llm, settings)
        yield Lever("llm_max_sequences", (1,) if settings.llm_max_sequences > 1 else (), "one chat at a time")
        yield Lever("llm_batched_tokens", _halved(settings.llm_batched_tokens), "long prompts are read in more steps")
        yield Lever("llm_context_tokens", _shorter(context, USEFUL_CONTEXT), "long talks are summarised in more parts")
        yield Lever("llm_enforce_eager", () if settings.llm_enforce_eager else (True,), "the server writes more slowly")
        yield Lever(
            "llm_context_tokens",
            _shorter(min(context, USEFUL_CONTEXT), LEAST_CONTEXT),
            "the parts get short",
        )
    smaller = tuple(range(settings.asr_batch_size - 1, 0, -1))
    yield Lever("asr_batch_size", smaller, "speech is recognised in smaller batches, a little more slowly")
    if settings.asr_device == "cuda" and settings.asr_compute_type != "int8_float16":
        yield Lever("asr_compute_type", ("int8_float16",), "speech is recognised with 8-bit weights")


def move(
    models: PlannedModels, settings: Settings, fixed: Callable[[str], bool], lacks: Callable[[Settings], Lacks]
) -> tuple[Settings, tuple[Move, ...]]:
    """Move one lever after the other, each no further than needed, until nothing is lacking.

    Args:
        models: What is loaded.
        settings: How it is used.
        fixed: Whether a setting was given on purpose: it is tried and not moved.
        lacks: Returns what a configuration lacks.

    Returns:
        The settings after the last move, and what became of each lever that saves anything.
    """
    moves: list[Move] = []
    for lever in levers(models, settings):
        before = lacks(settings)
        if not missing(before):
            break
        if fixed(lever.setting) and any(lever.setting == earlier.setting for earlier in moves):
            continue
        tried = [(value, lacks(settings.model_copy(update={lever.setting: value}))) for value in lever.values]
        value, after = min(tried, key=lambda pair: missing(pair[1]), default=(None, before))
        if missing(after) >= missing(before):
            continue
        applied = not fixed(lever.setting)
        saved = max(size - after.get(place, 0) for place, size in before.items())
        moves.append(Move(lever.setting, value, getattr(settings, lever.setting), saved, lever.cost, applied))
        if applied:
            settings = settings.model_copy(update={lever.setting: value})
    return settings, tuple(moves)


def missing(lacks: Lacks) -> int:
    """Return the bytes that are lacking, over all places."""
    return sum(max(0, size) for size in lacks.values())


def _halved(tokens: int) -> tuple[int, ...]:
    halves = []
    while tokens // 2 >= LEAST_BATCH:
        tokens //= 2
        halves.append(tokens)
    return tuple(halves)


def _shorter(tokens: int, least: int) -> tuple[int, ...]:
    return tuple(range(tokens - CONTEXT_STEP, least - 1, -CONTEXT_STEP))
