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
from audiofiles import MODEL
from maie.cli import main
from maie.plan import make_plan, needs
from maie.plan.figures import figures, pinned
from maie.plan.plan import BOARD_MEMORY, Device
from maie.plan.stages import Models, server_is_local
from maie.settings import PROFILES, Settings

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


def models(given: Settings) -> Models:
    return Models(figures(given.asr_model), figures(given.llm_model) if given.llm_model else None)


def test_the_jetson_profile_fits_an_8_gb_board_with_room_to_spare() -> None:
    done = maie_plan("--profile", "jetson", "--json")
    plan = json.loads(done.stdout)
    assert done.returncode == 0
    assert plan["residency"] == "swap"
    assert [option["fits"] for option in plan["options"]] == [False, True]
    assert plan["options"][1]["spare"] >= 0.10


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
    assert given.llm_context_tokens < kept <= given.llm_context_tokens + 64
    assert 0.5 < plan.server.utilisation < 0.85


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
    assert not server_is_local(given)
    assert server_is_local(settings(llm_url="http://127.0.0.1:8001/v1"))
    assert server_is_local(settings())
    plan = make_plan(Models(figures(given.asr_model), None), given, Device(BOARD_MEMORY))
    assert (plan.fits, plan.server, plan.tokens_per_second) == (True, None, None)


def test_a_speech_server_elsewhere_leaves_the_engine_process_only() -> None:
    done = maie_plan("--profile", "jetson", "--set", "asr_backend=openai", "--json")
    parts = {part["name"] for part in json.loads(done.stdout)["options"][1]["stages"]["asr"]}
    assert (done.returncode, "ASR weights" in parts, "engine process" in parts) == (0, False, True)


@pytest.mark.parametrize("name", ["maie-asr-en-v1", "maie-llm-en-v1"])
def test_the_files_say_what_is_pinned(name: str) -> None:
    read, known = figures(MODELS / name), figures(Path("/nowhere") / name)
    assert read == known
    assert figures(Path("/nowhere") / name / "0123456789ab", [MODELS]) == known


def test_both_forms_of_a_model_have_the_same_figures() -> None:
    one, other = figures(MODELS / "maie-llm-en-v1"), figures(MODELS / "maie-llm-en-v1-hf")
    for name in ("layers", "width", "inner", "heads", "kv_heads", "head_size", "vocabulary", "context_tokens"):
        assert getattr(one, name) == getattr(other, name)
    assert one.parameters == pytest.approx(other.parameters, rel=0.01)


@pytest.mark.parametrize("damage", [b"", b"<!doctype html>", b"\x06\x00\x00\x00\xff"])
def test_a_damaged_model_is_no_answer(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(damage)
    assert maie_plan("--profile", "embedded", "--set", f"asr_model={tmp_path}").returncode == 2


def test_every_model_with_a_source_says_all_of_it() -> None:
    for name, entry in pinned().items():
        assert set(entry) & {"repository", "revision", "files"} in (set(), {"repository", "revision", "files"}), name
