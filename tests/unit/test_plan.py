"""The memory plan: its figures against known ones, what fits, and what it says of what does not."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from maie.cli import main
from maie.llm.local_server import is_local
from maie.models.figures import figures
from maie.plan import make_plan, needs
from maie.plan.phases import PlannedModels
from maie.plan.plan import BOARD_MEMORY, Device
from maie.settings import PROFILES, Settings
from support.audiofiles import BASE, LLM, MODEL, REAL_LLM

MODELS = MODEL.parent
MIB = 1024**2


def maie_plan(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``maie plan`` in this process, with nothing else of MAIE in its environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAIE_")} | environment
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        status = main(["plan", *arguments])
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def settings(profile: str = "jetson", **changed: Any) -> Settings:
    """Settings of a profile with its usual models."""
    models = {"asr_model": "EraX-WoW-Turbo-V1.1-CT2", "llm_model": "Qwen3-4B-Instruct-2507-AWQ-4bit"}
    return Settings(**{"profile": profile, **PROFILES[profile], **models, **changed})


def models(given: Settings) -> PlannedModels:
    return PlannedModels(figures(given.asr_model), figures(given.llm_model) if given.llm_model else None)


def json_plan(*arguments: str) -> dict[str, Any]:
    """Return the plan of a board as JSON."""
    plan: dict[str, Any] = json.loads(maie_plan("--profile", "jetson", "--json", *arguments).stdout)
    return plan


def test_the_jetson_profile_fits_an_8_gb_board_at_the_upper_end_of_all_figures() -> None:
    assert maie_plan("--profile", "jetson").returncode == 0
    plan = json_plan()
    assert plan["residency"] == "swap"
    assert [option["fits"] for option in plan["options"]] == [False, True]
    assert plan["options"][1]["spare"] >= 0.05
    assert plan["server"]["context_tokens"] >= 3072


def test_it_says_what_it_gave_up_and_the_deployment_gets_it() -> None:
    told, plan = maie_plan("--profile", "jetson").stdout, json_plan()
    assert plan["settings"]
    for setting, value in plan["settings"].items():
        assert f"MAIE_{setting.upper()}={str(value).lower()} instead of" in told
        assert plan["server"][setting.removeprefix("llm_")] == value
    given = [f"--set={setting}={value}" for setting, value in plan["settings"].items()]
    again = json_plan(*given)
    assert (again["fits"], again["moves"], again["server"]) == (True, [], plan["server"])


def test_the_cheapest_lever_goes_first() -> None:
    given = settings()
    roomy = make_plan(models(given), given, Device(16 * 1024 * MIB))
    assert (roomy.moves, roomy.settings) == ((), {})
    order = ["llm_batched_tokens", "llm_context_tokens", "llm_enforce_eager", "llm_context_tokens"]
    for memory in range(5500, 8600, 300):
        plan = make_plan(models(given), given, Device(memory * MIB))
        assert [move.setting for move in plan.moves] == order[: len(plan.moves)]


def test_a_lever_goes_no_further_than_needed() -> None:
    given = settings()
    device = Device(8000 * MIB)
    plan = make_plan(models(given), given, device)
    context = plan.settings["llm_context_tokens"]
    assert plan.fits
    assert 3072 < context < 8192
    longer = settings(**{**plan.settings, "llm_context_tokens": context + 1024})
    moved = make_plan(models(longer), longer, device).settings
    assert moved["llm_context_tokens"] == context


def test_each_stage_that_lacks_memory_gets_its_own_lever() -> None:
    """Where one lever is enough for the worst stage, another stage may still lack some."""
    given = settings(asr_batch_size=24)
    plan = make_plan(models(given), given, Device(7400 * MIB))
    assert plan.fits
    assert plan.settings["asr_batch_size"] < 24
    assert plan.settings["llm_context_tokens"] == 2048


def test_settings_of_a_server_that_maie_does_not_start_are_not_changed() -> None:
    plan = json_plan("--no-unit")
    assert (plan["fits"], plan["settings"]) == (False, {})
    assert {move["setting"] for move in plan["moves"]} >= {"llm_batched_tokens", "llm_context_tokens"}


def test_it_refuses_only_when_every_lever_was_tried() -> None:
    given = settings()
    plan = make_plan(models(given), given, Device(5500 * MIB))
    assert not plan.fits
    assert [move.setting for move in plan.moves] == [
        "llm_batched_tokens", "llm_context_tokens", "llm_enforce_eager", "llm_context_tokens",
    ]  # fmt: skip
    assert all(move.applied and move.saves > 0 for move in plan.moves)
    assert plan.settings["llm_context_tokens"] == 2048
    told = maie_plan("--profile", "jetson", "--memory-mb", "5500").stdout
    assert told.count(": saves ") == len(plan.moves)
    assert "All levers were tried" in told.splitlines()[-1]


def test_a_setting_that_was_given_is_told_and_not_moved() -> None:
    plan = json_plan("--set", "llm_context_tokens=32768")
    told = {move["setting"]: move for move in plan["moves"]}
    assert (told["llm_context_tokens"]["applied"], told["llm_context_tokens"]["before"]) == (False, 32768)
    assert "llm_context_tokens" not in plan["settings"]


def test_each_figure_is_a_range_with_its_basis() -> None:
    plan = json_plan()
    parts = [part for option in plan["options"] for phase in option["phases"].values() for part in phase]
    assert {part["basis"] for part in parts} == {"computed", "measured", "estimated"}
    assert all(part["low"] is None or 0 < part["low"] <= part["size"] for part in parts)
    for option in plan["options"]:
        for phase, totals in option["totals"].items():
            assert option["at_least"][phase]["memory"] <= totals["memory"]
    told = maie_plan("--profile", "jetson").stdout
    assert "at least" in told
    assert all(basis in told for basis in ("computed", "measured", "estimated"))


@pytest.mark.parametrize("way", ["argument", "environment", "file"])
def test_a_context_that_is_too_long_is_refused_and_named(way: str) -> None:
    if way == "argument":
        done = maie_plan("--profile", "jetson", "--set", "llm_context_tokens=32768")
    elif way == "environment":
        done = maie_plan("--profile", "jetson", MAIE_LLM_CONTEXT_TOKENS="32768")
    else:
        text = '# Ansible managed\nMAIE_PROFILE=jetson\nMAIE_LLM_CONTEXT_TOKENS="32768"\n'
        done = maie_plan("--settings", "-", stdin=text, MAIE_LLM_CONTEXT_TOKENS="1024")
    assert done.returncode == 1
    assert "It does not fit" in done.stdout
    assert "MAIE_LLM_CONTEXT_TOKENS=" in done.stdout.splitlines()[-1]


def test_what_the_advice_names_does_fit() -> None:
    advised = maie_plan("--profile", "jetson", "--set", "llm_context_tokens=32768").stdout.splitlines()[-1]
    value = advised.split("MAIE_LLM_CONTEXT_TOKENS=")[1].split()[0]
    assert maie_plan("--profile", "jetson", "--set", f"llm_context_tokens={value}").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "jetson", "--set", "asr_model=nowhere"],
        ["--profile", "jetson", "--set", "no_such_setting=1"],
        ["--profile", "x86"],
        ["--profile", "embedded", "--set", "llm_context_tokens=many"],
        ["--settings", "/nowhere"],
    ],
)
def test_what_can_not_be_found_out_is_said(arguments: list[str]) -> None:
    done = maie_plan(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("maie: ")


BOARD = Path(__file__).parents[1] / "ansible/recorded/orin-nano-super-36.4.3"


def test_it_counts_with_the_memory_that_the_facts_of_a_board_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maie.platform.MEMINFO", BOARD / "proc/meminfo")
    facts = json.loads((BOARD / "expected.json").read_text())
    told = maie_plan("--profile", "embedded", "--models", str(MODELS)).stdout
    assert f"; {facts['memory']['total_bytes'] // MIB} MiB of memory" in told


def test_memory_that_is_not_known_is_no_guess(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("maie.platform.MEMINFO", tmp_path / "meminfo")
    done = maie_plan("--profile", "embedded", "--models", str(MODELS))
    assert (done.returncode, done.stdout) == (2, "")
    assert "How much memory this machine has is not known" in done.stderr


def test_the_known_figures_of_qwen3_4b() -> None:
    """144 KiB a token, 1.2 GB for 8,192 tokens, and at most 38 tokens a second."""
    given = settings()
    llm = figures(Path("Qwen3-4B-Instruct-2507-AWQ-4bit"))
    assert needs.kv_bytes_per_token(llm, 2) == 144 * 1024
    assert needs.server_kv(llm, given) == pytest.approx(1.2e9, rel=0.02)
    plan = make_plan(models(given), given, Device(BOARD_MEMORY))
    assert plan.tokens_per_second == pytest.approx(38, abs=0.5)


def test_the_server_gets_a_cache_for_its_context_and_no_more_than_the_plan_has() -> None:
    given = settings()
    plan = make_plan(models(given), given, Device(BOARD_MEMORY))
    assert plan.server is not None
    kept = plan.server.kv_cache_bytes / (144 * 1024)
    assert plan.server.context_tokens < kept <= plan.server.context_tokens + 64
    on_gpu = sum(part.size for part in plan.chosen.phases["llm"] if part.pool == "gpu")
    assert on_gpu <= plan.server.utilisation * BOARD_MEMORY < on_gpu + 0.02 * BOARD_MEMORY


def test_with_a_large_memory_the_server_stays() -> None:
    given = settings()
    plan = make_plan(models(given), given, Device(16 * 1024 * MIB))
    assert plan.chosen.residency == "resident"


def test_a_residency_that_is_set_is_not_passed_over() -> None:
    given = settings(llm_residency="resident")
    plan = make_plan(models(given), given, Device(BOARD_MEMORY))
    assert (plan.chosen.residency, plan.fits) == ("resident", False)


def test_a_server_elsewhere_needs_nothing_here() -> None:
    given = settings(llm_url="https://llm.example.org/v1")
    assert not is_local(given)
    assert is_local(settings(llm_url="http://127.0.0.1:8001/v1"))
    assert is_local(settings())
    plan = make_plan(PlannedModels(figures(given.asr_model), None), given, Device(BOARD_MEMORY))
    assert (plan.fits, plan.server, plan.tokens_per_second) == (True, None, None)


def test_a_speech_server_elsewhere_leaves_the_engine_process_only() -> None:
    done = maie_plan("--profile", "jetson", "--set", "asr_backend=openai", "--json")
    parts = {part["name"] for part in json.loads(done.stdout)["options"][1]["phases"]["asr"]}
    assert (done.returncode, "ASR weights" in parts, "engine process" in parts) == (0, False, True)


@pytest.mark.parametrize("folder", [MODEL, BASE, REAL_LLM], ids=lambda folder: folder.name)
def test_the_files_say_what_the_catalogue_says(folder: Path) -> None:
    read, known = figures(folder), figures(Path("/nowhere") / folder.name)
    assert read == known
    assert figures(Path("/nowhere") / folder.name / "0123456789ab", [folder.parent]) == known


def test_both_forms_of_a_model_have_the_same_figures() -> None:
    one, other = figures(LLM), figures(LLM.with_name("tiny-llm-en-hf"))
    for name in ("layers", "width", "inner", "heads", "kv_heads", "head_size", "vocabulary", "context_tokens"):
        assert getattr(one, name) == getattr(other, name)
    assert one.parameters == pytest.approx(other.parameters, rel=0.01)


@pytest.mark.parametrize("damage", [b"", b"<!doctype html>", b"\x06\x00\x00\x00\xff"])
def test_a_damaged_model_is_no_answer(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(damage)
    assert maie_plan("--profile", "embedded", "--set", f"asr_model={tmp_path}").returncode == 2
