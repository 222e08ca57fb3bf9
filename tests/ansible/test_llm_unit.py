"""The unit of the language model's server: what it runs, what its command line shows, and when it counts as started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from maie.models.figures import figures
from maie.plan import make_plan
from maie.plan.phases import PlannedModels
from maie.plan.plan import BOARD_MEMORY, Device
from maie.settings import PROFILES, Settings
from support.llm_server import LlmServer
from test_units import directives, render

ROLE = Path(__file__).parents[2] / "roles/maie"
KEY = "key-of-the-server-" + "k" * 24
ASR, LLM = (figures(Path(name)) for name in ("EraX-WoW-Turbo-V1.1-CT2", "Qwen3-4B-Instruct-2507-AWQ-4bit"))
DUMP = """#!/bin/sh
printf '%s\\n' "$@" > "$STATE_DIRECTORY/arguments"
env > "$STATE_DIRECTORY/environment"
"""


def settings(**changed: Any) -> Settings:
    models = {"asr_model": "EraX-WoW-Turbo-V1.1-CT2", "llm_model": "Qwen3-4B-Instruct-2507-AWQ-4bit"}
    return Settings(**{"profile": "jetson", **PROFILES["jetson"], **models, **changed})


def script(folder: Path, **changed: Any) -> str:
    """Return the start script of a board's server, with a program that only writes things down."""
    values: dict[str, Any] = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    plan = make_plan(PlannedModels(ASR, LLM), settings(), Device(BOARD_MEMORY))
    (folder / "vllm").write_text(DUMP)
    (folder / "vllm").chmod(0o755)
    values |= {
        "ansible_managed": "Ansible managed",
        "maie_llm_model": "/models/qwen",
        "__maie_llm_program": str(folder / "vllm"),
        "__maie_llm_server": vars(plan.server),
        "__maie_llm_socket": str(folder / "llm.sock"),
        "__maie_residency": "resident",
        **changed,
    }
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters["to_json"] = json.dumps
    return environment.get_template("llm-server.j2").render(values)


def started(folder: Path, **changed: Any) -> tuple[list[str], Mapping[str, str]]:
    """Run the script as the unit does; return the program's arguments and environment."""
    (folder / "start").write_text(script(folder, **changed))
    (folder / "llm_key").write_text(KEY + "\n")
    env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(folder), "STATE_DIRECTORY": str(folder)}
    subprocess.run(["/bin/sh", str(folder / "start")], env=env, check=True, timeout=10)
    lines = (folder / "environment").read_text().splitlines()
    return (folder / "arguments").read_text().splitlines(), dict(line.split("=", 1) for line in lines)


def test_the_server_gets_what_the_plan_says(tmp_path: Path) -> None:
    arguments, _ = started(tmp_path)
    assert arguments[:2] == ["serve", "/models/qwen"]
    told = dict(pairwise(arguments))
    planned = make_plan(PlannedModels(ASR, LLM), settings(), Device(BOARD_MEMORY)).server
    assert planned is not None
    expected = {
        "--max-model-len": str(planned.context_tokens),
        "--max-num-seqs": "1",
        "--max-num-batched-tokens": str(planned.batched_tokens),
        "--kv-cache-memory-bytes": str(planned.kv_cache_bytes),
        "--gpu-memory-utilization": str(planned.utilisation),
    }
    expected |= {"--uds": str(tmp_path / "llm.sock"), "--served-model-name": "maie-llm"}
    assert {name: told[name] for name in expected} == expected
    assert json.loads(told["--speculative-config"])["method"] == "ngram"
    assert {"--enable-chunked-prefill", "--enable-prefix-caching"} <= set(arguments)


@pytest.mark.parametrize("eager", [True, False])
def test_it_does_without_cuda_graphs_only_where_the_plan_says_so(tmp_path: Path, eager: bool) -> None:
    plan = make_plan(PlannedModels(ASR, LLM), settings(llm_enforce_eager=eager), Device(BOARD_MEMORY))
    arguments, _ = started(tmp_path, __maie_llm_server=vars(plan.server))
    assert ("--enforce-eager" in arguments) is eager


def test_it_listens_where_the_service_asks() -> None:
    values = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    assert unquote(urlsplit(settings().llm_url).netloc) == values["__maie_llm_socket"]


def test_speculation_and_arguments_are_the_operators(tmp_path: Path) -> None:
    arguments, _ = started(tmp_path, maie_llm_speculation={}, maie_llm_server_args=["--dtype", "half"])
    assert "--speculative-config" not in arguments
    assert arguments[-2:] == ["--dtype", "half"]


def test_the_key_is_in_no_command_line(tmp_path: Path) -> None:
    arguments, environment = started(tmp_path)
    assert KEY not in " ".join(arguments)
    assert environment["VLLM_API_KEY"] == KEY
    assert environment["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:False"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_HOST_IP"] == "127.0.0.1"


def test_without_its_key_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "start").write_text(script(tmp_path))
    env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(tmp_path)}
    assert subprocess.run(["/bin/sh", str(tmp_path / "start")], env=env, capture_output=True, check=False).returncode
    assert not (tmp_path / "arguments").exists()


def test_what_the_unit_keeps_free_for_cuda() -> None:
    found = directives(render("maie-llm.service", gpu=True))
    forbidden = {"PrivateDevices", "DevicePolicy", "MemoryDenyWriteExecute", "ProcSubset", "PrivateUsers", "MemoryMax"}
    assert not {name for _, name, _ in found} & forbidden
    values = {name: value for _, name, value in found}
    assert values["ExecStartPre"].startswith("+/bin/sh")
    assert "drop_caches" in values["ExecStartPre"]
    assert values["PrivateNetwork"] == "yes"


@pytest.mark.parametrize(
    ("ends", "kept"),
    [
        (["exit-code exited 1"], ["exit-code exited 1"]),
        (
            ["exit-code exited 1", "signal killed KILL", "oom-kill killed KILL"],
            ["signal killed KILL", "oom-kill killed KILL"],
        ),
        (["success"], []),
        (["exit-code exited 1", "success exited 0"], ["exit-code exited 1"]),
        (["up", "signal killed KILL"], []),
        (["resources"], ["resources"]),
    ],
)
def test_the_last_failed_starts_are_kept_for_whoever_waits(tmp_path: Path, ends: list[str], kept: list[str]) -> None:
    """A crash of a server that had answered is none."""
    up, failed = tmp_path / "llm-up", tmp_path / "llm-failed"
    text = (ROLE / "templates/llm-ended.j2").read_text()
    script = (
        Environment(undefined=StrictUndefined, autoescape=False)
        .from_string(text)
        .render(ansible_managed="Ansible managed", __maie_llm_up=up, __maie_llm_failed=failed)
    )
    for end in ends:
        if end == "up":
            up.touch()
            continue
        told = dict(zip(("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS"), end.split(), strict=False))
        subprocess.run(["/bin/sh", "-c", script], env={"PATH": os.environ["PATH"], **told}, check=True, timeout=10)
        assert not up.exists()
    assert ([line.strip() for line in failed.read_text().splitlines()] if failed.exists() else []) == kept


def test_readiness_is_asked_with_the_server_s_key() -> None:
    """What systemd runs after the start has a CREDENTIALS_DIRECTORY that it can't see: tests/e2e/device tries it."""
    starts = [value for _, name, value in directives(render("maie-llm.service", gpu=True)) if name == "ExecStartPost"]
    assert "CREDENTIALS_DIRECTORY=/proc/${MAINPID}/root/run/credentials/maie-llm.service /" in starts[0]


@pytest.mark.parametrize(
    "unit", ["maie-llm.service", "maie-worker.service", "maie-llm.path", "maie-llm-stop.path", "maie.target"]
)
def test_systemd_takes_it(unit: str, tmp_path: Path) -> None:
    for program in ("current/llm-server", "current/llm-ended", "current/venv/bin/maie"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    started_units = ["maie-llm.service", "maie-worker.service", "maie-api.service"]
    for name in {unit, "maie-llm-stop.service", *started_units}:
        text = render(name, gpu=True, maie_root=str(tmp_path), __maie_started=started_units)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "maie" in line]
    assert (done.returncode, told) == (0, [])


def test_a_resident_server_starts_before_the_worker() -> None:
    resident = ["maie-llm.service", "maie-worker.service", "maie-api.service"]
    worker = directives(render("maie-worker.service", gpu=True, __maie_started=resident))
    after = {name: value for _, name, value in worker}
    assert "maie-llm.service" in after["After"].split()
    assert "maie-llm.service" in render("maie.target", gpu=True, __maie_started=resident)
    assert "maie-llm.service" not in render("maie.target", gpu=True)


def ready(server: LlmServer, seconds: float, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``maie llm-ready`` for the server."""
    env = {"PATH": os.environ["PATH"], "MAIE_PROFILE": "jetson", "MAIE_ASR_MODEL": "unused", "MAIE_LLM_URL": server.url}
    env |= {"CREDENTIALS_DIRECTORY": str(folder), **environment}
    command = [str(Path(sys.executable).parent / "maie"), "llm-ready", "--seconds", str(seconds)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_started_means_that_a_token_came(tmp_path: Path) -> None:
    (tmp_path / "llm_key").write_text(KEY + "\n")
    with LlmServer() as server:
        server.behaviours = ["error", "garbage", "ok"]
        done = ready(server, 20, tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(server.chats) == 3
        assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
        assert server.chats[-1]["max_tokens"] == 1


def test_a_server_that_never_answers_is_not_started(tmp_path: Path) -> None:
    with LlmServer() as server:
        server.behaviours = ["refused"]
        done = ready(server, 2, tmp_path)
    assert done.returncode == 1
    assert "HTTP 400" in done.stderr


def test_nobody_waits_for_a_server_that_has_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with LlmServer() as server:
        server.behaviours = ["error"]
        done = ready(server, 60, tmp_path, MAINPID=str(ended.pid))
    assert done.returncode == 1
    assert "has ended" in done.stderr


WITHOUT_ENGINE = """
import ctypes, os, time
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"VLLM::EngineCore", 0, 0, 0)
    time.sleep(4)
    os._exit(0)
time.sleep(60)
"""
"""A vLLM whose engine is killed just before it serves: its first process waits for ever."""


def test_nobody_waits_for_a_server_whose_engine_has_ended(tmp_path: Path) -> None:
    (tmp_path / "llm_key").write_text(KEY + "\n")
    waiting = subprocess.Popen([sys.executable, "-c", WITHOUT_ENGINE])
    try:
        with LlmServer() as server:
            server.behaviours = ["error"]
            done = ready(server, 60, tmp_path, MAINPID=str(waiting.pid))
    finally:
        waiting.kill()
        waiting.wait()
    assert done.returncode == 1
    assert "engine has ended" in done.stderr


def test_the_worker_may_ask_for_this_one_unit_only() -> None:
    """It makes a file; root's path units know two of them, and no more than the start and the end of the server."""
    wishes = {unit: directives(render(unit, gpu=True)) for unit in ("maie-llm.path", "maie-llm-stop.path")}
    assert ("Path", "PathExists", "/run/maie/llm-wanted") in wishes["maie-llm.path"]
    assert ("Path", "PathExists", "/run/maie/llm-unwanted") in wishes["maie-llm-stop.path"]
    stop = directives(render("maie-llm-stop.service", gpu=True))
    assert ("Unit", "Conflicts", "maie-llm.service") in stop
    assert [value for _, name, value in stop if name == "ExecStart"] == ["/bin/rm -f /run/maie/llm-unwanted"]
