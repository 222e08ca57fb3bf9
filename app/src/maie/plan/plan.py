"""Whether a configuration fits a device, which residency of the language model does, and what to change where not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from maie.plan import needs
from maie.plan.figures import ModelFigures
from maie.plan.needs import MIB
from maie.plan.stages import Models, Pool, Residency, Stages, server_is_local, stages
from maie.settings import Settings

BOARD_MEMORY = 7620 * MIB
"""What Linux has of the 8 GB of a Jetson Orin Nano (``MemTotal``); the rest is carved out for firmware and display."""

BOARD_BANDWIDTH = 102e9
"""Bytes a second of an Orin Nano Super's memory at its full clock (3199 MHz, 128 bit LPDDR5)."""

LEAST_SPARE = 0.05
"""Share of the memory that must be left over: the plan is within 15 % of what was measured, not exact."""

MOST_UTILISATION = 0.85
"""Most of the memory that vLLM may ever take for its own: the migration plan's figure."""

CONTEXT_STEP = 1024


@dataclass(frozen=True)
class Device:
    """The memory of a device, in bytes.

    Attributes:
        memory: All of it.
        gpu: The GPU's own; None where it shares the other, as on a Jetson.
    """

    memory: int
    gpu: int | None = None

    def pools(self) -> dict[Pool, int]:
        """Return the sizes of the memories that are apart."""
        return {"memory": self.memory} if self.gpu is None else {"memory": self.memory, "gpu": self.gpu}


@dataclass(frozen=True)
class Option:
    """One residency and what it needs.

    Attributes:
        residency: None where no language model runs on the device.
    """

    residency: Residency | None
    stages: Stages
    device: Device

    def need(self, stage: str, pool: Pool) -> int:
        """Return what a stage needs of one memory."""
        shared = self.device.gpu is None
        return sum(part.size for part in self.stages[stage] if shared or part.pool == pool)

    @property
    def spare(self) -> float:
        """The share of the memory that is left at the worst stage, of the scarcer memory; negative if it lacks."""
        return min(
            1 - self.need(stage, pool) / size for stage in self.stages for pool, size in self.device.pools().items()
        )

    @property
    def fits(self) -> bool:
        """Whether enough is left over."""
        return self.spare >= LEAST_SPARE


@dataclass(frozen=True)
class Server:
    """What the unit of a language model's server is given.

    Attributes:
        utilisation: Share of all memory that must be free when vLLM starts.
    """

    kv_cache_bytes: int
    context_tokens: int
    max_sequences: int
    batched_tokens: int
    utilisation: float


@dataclass(frozen=True)
class Plan:
    """The answer.

    Attributes:
        options: What the configuration allows, the best first.
        chosen: The first that fits, else the one that lacks least.
        advice: What to change where nothing fits; empty otherwise.
        tokens_per_second: Most that the memory's bandwidth lets one sequence have; None without a language model.
        server: None where no server of a language model runs on the device.
    """

    profile: str
    models: Models
    device: Device
    options: tuple[Option, ...]
    chosen: Option
    advice: str
    tokens_per_second: float | None
    server: Server | None

    @property
    def fits(self) -> bool:
        """Whether the chosen option fits."""
        return self.chosen.fits


def make_plan(models: Models, settings: Settings, device: Device) -> Plan:
    """Return the plan of a configuration."""
    options = _options(models, settings, device)
    chosen = next((option for option in options if option.fits), max(options, key=lambda o: o.spare))
    llm = models.llm
    server = _server(models, llm, settings, device) if llm and server_is_local(settings) else None
    return Plan(
        profile=settings.profile,
        models=models,
        device=device,
        options=options,
        chosen=chosen,
        advice="" if chosen.fits else _advice(models, settings, device),
        tokens_per_second=BOARD_BANDWIDTH / _read_per_token(llm, settings) if llm else None,
        server=server,
    )


def _options(models: Models, settings: Settings, device: Device) -> tuple[Option, ...]:
    possible: tuple[Residency | None, ...] = (None,)
    if models.llm is not None:
        possible = ("resident", "swap") if server_is_local(settings) else ("in_process",)
    if settings.llm_residency in possible:
        possible = (settings.llm_residency,)
    return tuple(Option(residency, stages(models, settings, residency), device) for residency in possible)


def _read_per_token(llm: ModelFigures, settings: Settings) -> int:
    """Return the bytes of weights that are read for each token."""
    return needs.weights(llm, "float16" if server_is_local(settings) else settings.llm_compute_type)


def _server(models: Models, llm: ModelFigures, settings: Settings, device: Device) -> Server:
    parts = stages(models, settings, "swap")["llm"]
    own = sum(part.size for part in parts if part.pool == "gpu")
    share = own / (device.gpu or device.memory)
    return Server(
        kv_cache_bytes=needs.server_kv(llm, settings),
        context_tokens=needs.llm_context(llm, settings),
        max_sequences=settings.llm_max_sequences,
        batched_tokens=settings.llm_batched_tokens,
        utilisation=min(MOST_UTILISATION, math.ceil(share * 100) / 100),
    )


def _advice(models: Models, settings: Settings, device: Device) -> str:
    """Return which one setting would make it fit, and with what value."""
    for name, value in _changes(models, settings):
        options = _options(models, settings.model_copy(update={name: value}), device)
        if any(option.fits for option in options):
            return f"MAIE_{name.upper()}={value} would fit (it is {getattr(settings, name)})."
    return (
        "No one setting is enough. Take a lighter model (MAIE_ASR_MODEL, MAIE_LLM_MODEL), a server elsewhere "
        "(MAIE_LLM_URL), or none (MAIE_LLM_BACKEND=none)."
    )


def _changes(models: Models, settings: Settings) -> Iterator[tuple[str, Any]]:
    """Yield what could be changed, that which hurts least first."""
    if models.llm is not None:
        if settings.llm_max_sequences > 1:
            yield "llm_max_sequences", 1
        for tokens in range(needs.llm_context(models.llm, settings) - CONTEXT_STEP, CONTEXT_STEP, -CONTEXT_STEP):
            yield "llm_context_tokens", tokens
    for size in range(settings.asr_batch_size - 1, 0, -1):
        yield "asr_batch_size", size
    if settings.asr_device == "cuda":
        yield "asr_compute_type", "int8_float16"
