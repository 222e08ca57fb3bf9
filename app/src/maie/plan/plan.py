"""Whether a configuration fits a device, with which residency of the language model, and what was given up for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maie.llm.local_server import is_local
from maie.models.figures import ModelFigures
from maie.plan import needs
from maie.plan.levers import Lacks, Move, levers, missing, move
from maie.plan.needs import MIB, Part, Pool
from maie.plan.phases import Phases, PlannedModels, Residency, phases
from maie.settings import Settings

BOARD_MEMORY = 7620 * MIB
"""What Linux has of the 8 GB of a Jetson Orin Nano (``MemTotal``); the rest is carved out for firmware and display."""

BOARD_BANDWIDTH = 102e9
"""Bytes a second of an Orin Nano Super's memory at its full clock (3199 MHz, 128 bit LPDDR5)."""

LEAST_SPARE = 0.05
"""Share of the memory that must be left over when each figure is at the upper end of its range."""

MOST_UTILISATION = 0.85
"""Most of the memory that vLLM may ever take for its own: the migration plan's figure."""


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
        """Return the sizes of the separate memories."""
        return {"memory": self.memory} if self.gpu is None else {"memory": self.memory, "gpu": self.gpu}


@dataclass(frozen=True)
class Option:
    """One residency and what it needs.

    Attributes:
        residency: None where no language model runs on the device.
    """

    residency: Residency | None
    phases: Phases
    device: Device

    def need(self, phase: str, pool: Pool) -> int:
        """Return the most that a phase needs of one memory."""
        return sum(part.size for part in self._parts(phase, pool))

    def least(self, phase: str, pool: Pool) -> int:
        """Return the least that a phase needs of one memory."""
        return sum(part.least for part in self._parts(phase, pool))

    def _parts(self, phase: str, pool: Pool) -> list[Part]:
        return [part for part in self.phases[phase] if self.device.gpu is None or part.pool == pool]

    @property
    def spare(self) -> float:
        """The share of the scarcer memory that is left in the worst phase; negative if some is lacking."""
        return min(
            1 - self.need(phase, pool) / size for phase in self.phases for pool, size in self.device.pools().items()
        )

    @property
    def lacks(self) -> Lacks:
        """What each phase lacks of each memory for enough to be left over."""
        return {
            (phase, pool): self.need(phase, pool) - math.floor(size * (1 - LEAST_SPARE))
            for phase in self.phases
            for pool, size in self.device.pools().items()
        }

    @property
    def fits(self) -> bool:
        """Whether enough is left over."""
        return not missing(self.lacks)


@dataclass(frozen=True)
class Server:
    """The options for the unit of the language model's server.

    Attributes:
        utilisation: Share of all memory that must be free when vLLM starts.
        enforce_eager: Whether it does without CUDA graphs.
    """

    kv_cache_bytes: int
    context_tokens: int
    max_sequences: int
    batched_tokens: int
    utilisation: float
    enforce_eager: bool


@dataclass(frozen=True)
class Plan:
    """The answer.

    Attributes:
        options: What the configuration allows after the moves, the best first.
        chosen: The first that fits, else the one that lacks least.
        moves: What became of the levers, in the order in which they were tried; none where it fits without.
        advice: What to change where nothing fits; empty otherwise.
        tokens_per_second: Upper bound for one sequence by the memory's bandwidth; None without a language model.
        server: None where no server of a language model runs on the device.
    """

    profile: str
    models: PlannedModels
    device: Device
    options: tuple[Option, ...]
    chosen: Option
    moves: tuple[Move, ...]
    advice: str
    tokens_per_second: float | None
    server: Server | None

    @property
    def fits(self) -> bool:
        """Whether the chosen option fits."""
        return self.chosen.fits

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that were moved, with their values."""
        return {move.setting: move.value for move in self.moves if move.applied}


def nothing(_: str) -> bool:
    """Say of no setting that it was given on purpose."""
    return False


def make_plan(
    models: PlannedModels, settings: Settings, device: Device, fixed: Callable[[str], bool] = nothing
) -> Plan:
    """Return the plan of a configuration.

    Where it does not fit, levers are moved until it does: see :mod:`maie.plan.levers`.

    Args:
        models: What is loaded.
        settings: How it is used.
        device: Where.
        fixed: Whether a setting was given on purpose, and so is not moved.
    """
    wanted = settings
    settings, moves = _move(models, wanted, device, fixed)
    options = _options(models, settings, device)
    chosen = next((option for option in options if option.fits), max(options, key=lambda o: o.spare))
    llm = models.llm
    server = _server(models, llm, settings, device) if llm and is_local(settings) else None
    return Plan(
        profile=settings.profile,
        models=models,
        device=device,
        options=options,
        chosen=chosen,
        moves=moves,
        advice="" if chosen.fits else _advice(models, wanted, device, fixed),
        tokens_per_second=BOARD_BANDWIDTH / _read_per_token(llm, settings) if llm else None,
        server=server,
    )


def _move(
    models: PlannedModels, settings: Settings, device: Device, fixed: Callable[[str], bool]
) -> tuple[Settings, tuple[Move, ...]]:
    def lacks(given: Settings) -> Lacks:
        return min((option.lacks for option in _options(models, given, device)), key=missing)

    return move(models, settings, fixed, lacks)


def _options(models: PlannedModels, settings: Settings, device: Device) -> tuple[Option, ...]:
    possible: tuple[Residency | None, ...] = (None,)
    if models.llm is not None:
        possible = ("resident", "swap") if is_local(settings) else ("in_process",)
    if settings.llm_residency in possible:
        possible = (settings.llm_residency,)
    return tuple(Option(residency, phases(models, settings, residency), device) for residency in possible)


def _read_per_token(llm: ModelFigures, settings: Settings) -> int:
    """Return the bytes of weights that are read for each token."""
    return needs.weights(llm, "float16" if is_local(settings) else settings.llm_compute_type)


def _server(models: PlannedModels, llm: ModelFigures, settings: Settings, device: Device) -> Server:
    parts = phases(models, settings, "swap")["llm"]
    own = sum(part.size for part in parts if part.pool == "gpu")
    share = own / (device.gpu or device.memory)
    return Server(
        kv_cache_bytes=needs.server_kv(llm, settings),
        context_tokens=needs.llm_context(llm, settings),
        max_sequences=settings.llm_max_sequences,
        batched_tokens=settings.llm_batched_tokens,
        utilisation=min(MOST_UTILISATION, math.ceil(share * 100) / 100),
        enforce_eager=settings.llm_enforce_eager,
    )


def _advice(models: PlannedModels, settings: Settings, device: Device, fixed: Callable[[str], bool]) -> str:
    """Return the advice: which of the given settings would make it fit, with which value, after all levers."""
    for lever in levers(models, settings):
        if not fixed(lever.setting):
            continue
        for value in lever.values:
            changed, _ = _move(models, settings.model_copy(update={lever.setting: value}), device, fixed)
            if any(option.fits for option in _options(models, changed, device)):
                return f"MAIE_{lever.setting.upper()}={value} would fit (it is {getattr(settings, lever.setting)})."
    return (
        "All levers were tried. Take a lighter model (MAIE_ASR_MODEL, MAIE_LLM_MODEL), a server elsewhere "
        "(MAIE_LLM_URL), or none (MAIE_LLM_BACKEND=none)."
    )
