"""The plan as a table for people, and as JSON for the deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from maie.plan.levers import Move
from maie.plan.needs import MIB, Part, Pool
from maie.plan.plan import Option, Plan

NAME_WIDTH = 36
COLUMN_WIDTH = 9


def table(plan: Plan) -> str:
    """Return the plan as lines of text, the last of which says whether it fits."""
    lines = [_head(plan), "", *_option(plan.chosen), ""]
    if len(plan.options) > 1:
        lines += [_line(option, option is plan.chosen) for option in plan.options] + [""]
    if plan.moves:
        lines += ["To make it fit (each is a setting; one that is given is not changed):"]
        lines += [_move(move) for move in plan.moves] + [""]
    if plan.tokens_per_second is not None and plan.models.llm is not None:
        lines += [_roofline(plan.tokens_per_second, plan.models.llm.name), ""]
    return "\n".join([*lines, verdict(plan)]) + "\n"


def verdict(plan: Plan) -> str:
    """Return in one sentence whether the configuration fits, and what to change where it does not."""
    worst = max(
        ((phase, pool) for phase in plan.chosen.phases for pool in plan.device.pools()),
        key=lambda at: plan.chosen.need(*at) / plan.device.pools()[at[1]],
    )
    need, there = plan.chosen.need(*worst) // MIB, plan.device.pools()[worst[1]] // MIB
    where = f"phase {worst[0]} needs {need} of {there} MiB"
    if plan.fits:
        return f"It fits: {where} at most, {plan.chosen.spare:.0%} to spare."
    return f"It does not fit: {where}. {plan.advice}"


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON; sizes in bytes."""
    return {
        "fits": plan.fits,
        "verdict": verdict(plan),
        "profile": plan.profile,
        "device": asdict(plan.device),
        "models": {kind: model and model.name for kind, model in vars(plan.models).items()},
        "residency": plan.chosen.residency,
        "settings": dict(plan.settings),
        "moves": [asdict(move) for move in plan.moves],
        "options": [_option_json(option) for option in plan.options],
        "tokens_per_second": plan.tokens_per_second and round(plan.tokens_per_second, 1),
        "server": plan.server and asdict(plan.server),
        "table": table(plan),
    }


def _option_json(option: Option) -> dict[str, Any]:
    return {
        "residency": option.residency,
        "fits": option.fits,
        "spare": round(option.spare, 4),
        "phases": {phase: [asdict(part) for part in parts] for phase, parts in option.phases.items()},
        "totals": {
            phase: {pool: option.need(phase, pool) for pool in option.device.pools()} for phase in option.phases
        },
        "at_least": {
            phase: {pool: option.least(phase, pool) for pool in option.device.pools()} for phase in option.phases
        },
    }


def _head(plan: Plan) -> str:
    gpu = "" if plan.device.gpu is None else f" and a GPU with {plan.device.gpu // MIB} MiB"
    llm = f", LLM {plan.models.llm.name}" if plan.models.llm else ""
    asr = plan.models.asr.name if plan.models.asr else "elsewhere"
    return f"profile {plan.profile}, ASR {asr}{llm}; {plan.device.memory // MIB} MiB of memory{gpu}"


def _option(option: Option) -> list[str]:
    names = list(dict.fromkeys(part.name for parts in option.phases.values() for part in parts))
    pools = option.device.pools()
    residency = f"LLM {option.residency}" if option.residency else "no LLM on the device"
    lines = [_row(f"MiB in each phase ({residency})", [*option.phases], "at least", "basis")]
    for name in names:
        parts = [[part for part in phase if part.name == name] for phase in option.phases.values()]
        sizes = [sum(part.size for part in found) for found in parts]
        lines.append(_row(name, [str(round(size / MIB)) if size else "-" for size in sizes], *_range(parts)))
    for pool, size in pools.items():
        label = "needed" if len(pools) == 1 else f"needed of {_pool_name(pool)}"
        lines.append(_row(label, [str(option.need(phase, pool) // MIB) for phase in option.phases]))
        lines.append(_row("at least", [str(option.least(phase, pool) // MIB) for phase in option.phases]))
        spare = [f"{1 - option.need(phase, pool) / size:.0%}" for phase in option.phases]
        lines.append(_row(f"to spare of {size // MIB}", spare))
    return lines


def _pool_name(pool: Pool) -> str:
    return {"memory": "memory", "gpu": "the GPU's"}[pool]


def _range(parts: Sequence[Sequence[Part]]) -> tuple[str, str]:
    """Return the lower end of a figure, where it differs from the upper one, and where the figure comes from."""
    first = next(found for found in parts if found)[0]
    return ("" if first.least == first.size else str(round(first.least / MIB))), first.basis


def _row(name: str, cells: list[str], least: str = "", basis: str = "") -> str:
    row = f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:>{COLUMN_WIDTH}}" for cell in [*cells, least])
    return f"{row}  {basis}".rstrip()


def _move(move: Move) -> str:
    value, before = (str(found).lower() if isinstance(found, bool) else found for found in (move.value, move.before))
    setting = f"MAIE_{move.setting.upper()}={value}"
    how = f"{setting} instead of {before}" if move.applied else f"{setting} (given: {before})"
    return f"  {how}: {'saves' if move.applied else 'would save'} {round(move.saves / MIB)} MiB; {move.cost}"


def _line(option: Option, chosen: bool) -> str:
    fits = "fits" if option.fits else "does not fit"
    mark = "  <- taken" if chosen and option.fits else ""
    return f"LLM {option.residency}: {fits}, {option.spare:.0%} to spare{mark}"


def _roofline(tokens: float, name: str) -> str:
    return (
        f"{name}: on an Orin Nano Super (102 GB/s) reading the weights bounds one sequence to {tokens:.0f} tokens/s; "
        "only speculation gets beyond."
    )
