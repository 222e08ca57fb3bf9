"""Which parts are in memory at a time: by phase, and by where the language model lives.

A phase is what a stretch of time has in memory: the start of the engine process (``start``), and the stages of the
pipeline by the model that they need (``asr``, ``llm``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from maie.domain import Need
from maie.models.figures import ModelFigures
from maie.pipeline import table
from maie.plan import needs
from maie.plan.needs import Part, Pool, part
from maie.settings import Settings

Residency = Literal["resident", "swap", "in_process"]
Phases = Mapping[str, tuple[Part, ...]]
"""Phase to what is in memory then."""

PHASES: Mapping[Need, str] = {"nothing": "asr", "speech_model": "asr", "language_model": "llm"}
"""In which phase a stage runs."""

CUDA = (
    part("CUDA's libraries in the engine", needs.CUDA_LIBRARIES),
    part("CUDA context of the engine", needs.CUDA_CONTEXT, "gpu"),
)


@dataclass(frozen=True)
class PlannedModels:
    """The models of a configuration; None where none of the kind runs on the device."""

    asr: ModelFigures | None
    llm: ModelFigures | None


def phases(models: PlannedModels, settings: Settings, residency: Residency | None) -> Phases:
    """Return what is in memory in each phase.

    Args:
        models: What is loaded.
        settings: How it is used.
        residency: Where the language model lives; None where there is none on the device.
    """
    always = (
        part("operating system", needs.SYSTEM),
        part("Redis", needs.REDIS),
        part("API", needs.API),
        part("worker", needs.WORKER),
    )
    engine = _engine(models.asr, settings)
    loading, working = _loading(models.asr), (*_working(models.asr, settings), *_of_stages("asr"))
    if residency is None or models.llm is None:
        return {"start": (*always, *engine, *loading), "asr": (*always, *engine, *working)}
    if residency == "in_process":
        inside = _llm_inside(models.llm, settings, engine)
        return {
            "start": (*always, *engine, *inside, Part("LLM's file while it is read", models.llm.files_bytes)),
            "asr": (*always, *engine, *inside, *working),
            "llm": (*always, *engine, *inside, *_llm_inside_at_work(models.llm, settings), *_of_stages("llm")),
        }
    server = _server(models.llm, settings)
    running = server if residency == "resident" else ()
    reader = (part("engine process for the LLM", needs.READER),)
    return {
        "start": (*always, *running, *engine, *loading),
        "asr": (*always, *running, *engine, *working),
        "llm": (*always, *server, *(engine if residency == "resident" else reader), *_of_stages("llm")),
    }


def _of_stages(phase: str) -> tuple[Part, ...]:
    """What the stages of a phase take beside their models, which follow from the models' figures."""
    return tuple(
        Part(f"{stage.name} at work", stage.memory, basis="measured")
        for stage in table.STAGES
        if stage.memory and PHASES[stage.needs] == phase
    )


def _pool(device: str) -> Pool:
    return "gpu" if device == "cuda" else "memory"


def _engine(model: ModelFigures | None, settings: Settings) -> tuple[Part, ...]:
    process = part("engine process", needs.ENGINE)
    if model is None:
        return (process,)
    weights = Part("ASR weights", needs.weights(model, settings.asr_compute_type), _pool(settings.asr_device))
    if weights.pool == "memory":
        return (process, weights)
    return (process, *CUDA, weights, *_left_of_loading("ASR model", model, settings.asr_compute_type))


def _left_of_loading(name: str, model: ModelFigures, compute_type: str) -> tuple[Part, ...]:
    left = needs.left_of_loading(model, compute_type)
    return (Part(f"left of loading the {name}", left),) if left else ()


def _loading(model: ModelFigures | None) -> tuple[Part, ...]:
    return (Part("ASR model's file while it is read", model.files_bytes),) if model else ()


def _working(model: ModelFigures | None, settings: Settings) -> tuple[Part, ...]:
    return (Part("ASR at work", needs.asr_work(model, settings), _pool(settings.asr_device)),) if model else ()


def _llm_inside(model: ModelFigures, settings: Settings, engine: tuple[Part, ...]) -> tuple[Part, ...]:
    """The language model in the engine process; it shares what the ASR model has of CUDA."""
    pool = _pool(settings.llm_device)
    shared = any(one.name.startswith("CUDA") for one in engine)
    weights = Part("LLM weights", needs.weights(model, settings.llm_compute_type), pool)
    tokenizer = Part("LLM's tokenizer", needs.llm_vocabulary(model), basis="measured")
    inside = (part("engine process for the LLM", needs.LLM_ENGINE), tokenizer, weights)
    if pool == "memory":
        return inside
    return (*inside, *(() if shared else CUDA), *_left_of_loading("LLM", model, settings.llm_compute_type))


def _llm_inside_at_work(model: ModelFigures, settings: Settings) -> tuple[Part, ...]:
    pool = _pool(settings.llm_device)
    return (
        Part("LLM's KV cache", needs.llm_kv(model, settings), pool),
        Part("LLM at work", needs.llm_work(model, settings), pool),
    )


def _server(model: ModelFigures, settings: Settings) -> tuple[Part, ...]:
    graphs = () if settings.llm_enforce_eager else (part("CUDA graphs of the LLM server", needs.CUDA_GRAPHS, "gpu"),)
    return (
        part("LLM server's API process", needs.VLLM_API),
        part("LLM server's engine process", needs.VLLM_ENGINE),
        part("speculation in the LLM server", needs.VLLM_SPECULATION),
        part("CUDA's libraries in the LLM server", needs.VLLM_CUDA),
        part("CUDA context of the LLM server", needs.CUDA_CONTEXT, "gpu"),
        part("torch in the LLM server", needs.VLLM_TORCH, "gpu"),
        *graphs,
        Part("LLM weights", needs.weights(model, "float16"), "gpu"),
        Part("LLM's KV cache", needs.server_kv(model, settings), "gpu"),
        Part("LLM at work", needs.server_work(model, settings), "gpu"),
    )
