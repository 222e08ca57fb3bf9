"""``maie plan``: reads settings, models and the device, and prints the plan."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Set
from pathlib import Path

from maie import backends
from maie.errors import ConfigurationError
from maie.llm.local_server import is_local
from maie.models.figures import figures
from maie.plan.needs import MIB
from maie.plan.phases import PlannedModels
from maie.plan.plan import BOARD_MEMORY, Device, Plan, make_plan
from maie.plan.report import as_json, table
from maie.platform import is_jetson, memory_bytes
from maie.settings import PROFILES, Settings, load_settings

USUAL_MODELS = {
    "embedded": {
        "MAIE_ASR_MODEL": "faster-whisper-base",
        "MAIE_LLM_MODEL": "maie-llm-en-v2",
        "MAIE_LLM_BACKEND": "ctranslate2",
    },
    "jetson": {"MAIE_ASR_MODEL": "EraX-WoW-Turbo-V1.1-CT2", "MAIE_LLM_MODEL": "Qwen3-4B-Instruct-2507-AWQ-4bit"},
    "x86": {"MAIE_ASR_MODEL": "faster-whisper-large-v3-turbo"},
}
"""The models that a profile is meant for, where no setting names any."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--profile", choices=list(PROFILES), help="as MAIE_PROFILE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as MAIE_NAME, repeatable")
    parser.add_argument(
        "--settings", metavar="FILE", help="an environment file instead of the environment; - is standard input"
    )
    parser.add_argument("--models", action="append", type=Path, default=[], metavar="DIR", help="where models lie")
    parser.add_argument("--memory-mb", type=int, metavar="MIB", help="memory of the device; else this machine's")
    parser.add_argument("--gpu-memory-mb", type=int, metavar="MIB", help="the GPU's own memory, where it has some")
    parser.add_argument("--no-unit", action="store_true", help="the language model's server is not started by MAIE")
    parser.add_argument("--json", action="store_true", help="the plan as JSON")


def run(given: argparse.Namespace) -> int:
    """Print the plan; 0: fits, 1: does not.

    Raises:
        ConfigurationError: It can't be found out.
    """
    plan = _plan(given)
    sys.stdout.write(json.dumps(as_json(plan), indent=2) + "\n" if given.json else table(plan))
    return 0 if plan.fits else 1


def _plan(given: argparse.Namespace) -> Plan:
    settings, fixed = _settings(given)
    in_process = backends.LLM[settings.llm_backend].in_process
    if in_process and settings.llm_model is None:
        raise ConfigurationError(f"MAIE_LLM_MODEL is not set, and MAIE_LLM_BACKEND is {settings.llm_backend}.")
    runs_llm = in_process or is_local(settings)
    llm = figures(settings.llm_model, given.models) if runs_llm and settings.llm_model else None
    asr = figures(settings.asr_model, given.models) if backends.ASR[settings.asr_backend].in_process else None

    def is_fixed(setting: str) -> bool:
        return setting in fixed or (given.no_unit and setting.startswith("llm_"))

    return make_plan(PlannedModels(asr, llm), settings, _device(given, settings), is_fixed)


def _settings(given: argparse.Namespace) -> tuple[Settings, Set[str]]:
    """Return the settings to plan for, which are this process' own from here on, and the names of those given."""
    if given.settings:
        for name in [name for name in os.environ if name.startswith("MAIE_")]:
            del os.environ[name]
        os.environ.update(_read(given.settings))
    if given.profile:
        os.environ["MAIE_PROFILE"] = given.profile
    for pair in given.set:
        name, equals, value = pair.partition("=")
        if not equals or name.lower() not in Settings.model_fields:
            raise ConfigurationError(f"--set {pair}: there is no such setting; it is NAME=VALUE without MAIE_.")
        os.environ[f"MAIE_{name.upper()}"] = value
    fixed = {name.removeprefix("MAIE_").lower() for name in os.environ if name.startswith("MAIE_")}
    for name, value in USUAL_MODELS.get(os.environ.get("MAIE_PROFILE", ""), {}).items():
        os.environ.setdefault(name, value)
    return load_settings(), fixed


def _read(source: str) -> dict[str, str]:
    """Return the variables of an environment file as the deployment writes it: no escapes, quotes around values."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source} can't be read: {error.strerror}.") from error
    pairs = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _device(given: argparse.Namespace, settings: Settings) -> Device:
    """Return the device: the one given, else a board for the profile ``jetson``, else this machine."""
    if given.memory_mb:
        memory = given.memory_mb * MIB
    elif settings.profile == "jetson" and not is_jetson():
        memory = BOARD_MEMORY
    else:
        memory = _own_memory()
    uses_gpu = "cuda" in (settings.asr_device, settings.llm_device)
    if settings.profile == "x86" and uses_gpu and not given.gpu_memory_mb:
        raise ConfigurationError("How much memory the GPU has is not known: give --gpu-memory-mb.")
    return Device(memory, given.gpu_memory_mb * MIB if given.gpu_memory_mb else None)


def _own_memory() -> int:
    """Return the memory of this machine, in bytes."""
    try:
        return memory_bytes()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"How much memory this machine has is not known: {error}") from error
