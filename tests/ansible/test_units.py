"""The units as they are installed: known to JetPack's systemd, and well sandboxed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from maie.settings import Settings

PROJECT = Path(__file__).parents[2]

KNOWN_TO_249 = {
    "Unit": "After Conflicts Description PartOf StartLimitIntervalSec Wants",
    "Path": "PathExists",
    "Install": "WantedBy",
    "Service": """
        CapabilityBoundingSet CPUWeight DevicePolicy EnvironmentFile ExecStart ExecStartPost ExecStartPre ExecStop
        ExecStopPost Group
        IPAddressAllow IPAddressDeny KillMode
        LimitNOFILE LoadCredential LockPersonality MemoryDenyWriteExecute MemoryMax NoNewPrivileges NotifyAccess
        OOMPolicy OOMScoreAdjust PrivateDevices PrivateNetwork PrivateTmp PrivateUsers ProcSubset ProtectClock
        ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
        ProtectProc ProtectSystem RemainAfterExit RemoveIPC Restart RestartSec RestrictAddressFamilies
        RestrictNamespaces RestrictRealtime RestrictSUIDSGID RuntimeDirectory RuntimeDirectoryMode
        RuntimeDirectoryPreserve StateDirectory
        StateDirectoryMode SupplementaryGroups SystemCallArchitectures SystemCallErrorNumber SystemCallFilter
        TimeoutStartSec TimeoutStopSec Type UMask User WatchdogSec WorkingDirectory
    """,
}
"""The directives in use, each looked up in the manual of systemd 249."""

UNITS = {
    "maie.target": "maie/templates/systemd/maie.target.j2",
    "maie-api.service": "maie/templates/systemd/maie-api.service.j2",
    "maie-worker.service": "maie/templates/systemd/maie-worker.service.j2",
    "maie-llm.service": "maie/templates/systemd/maie-llm.service.j2",
    "maie-llm.path": "maie/templates/systemd/maie-llm.path.j2",
    "maie-llm-stop.path": "maie/templates/systemd/maie-llm-stop.path.j2",
    "maie-llm-stop.service": "maie/templates/systemd/maie-llm-stop.service.j2",
    "maie-redis.service": "redis/templates/maie-redis.service.j2",
    "maie-jetson-clocks.service": "jetson_tune/templates/clocks.service.j2",
}
EXPOSED = ["maie-api.service", "maie-worker.service", "maie-llm.service", "maie-redis.service"]


def render(unit: str, gpu: bool, **others: Any) -> str:
    """Return the unit's text with its role's defaults, but for the other values."""
    role = PROJECT / "roles" / UNITS[unit].split("/")[0]
    values: dict[str, Any] = {}
    for defaults in (PROJECT / "roles/release/defaults/main.yml", role / "defaults/main.yml"):
        values |= yaml.safe_load(defaults.read_text())
    values |= {
        "ansible_managed": "Ansible managed",
        "ansible_facts": {"getent_group": {"video": [], "render": []}},
        "__maie_uses_gpu": gpu,
        "__maie_gpu_groups": ["video", "render"] if gpu else [],
        "__maie_residency": "swap",
        "__maie_llm_up": "/run/maie/llm-up",
        "__maie_llm_failed": "/run/maie/llm-failed",
        "__maie_servers": [],
        "__maie_started": ["maie-worker.service", "maie-api.service"],
        **others,
    }
    environment = Environment(
        loader=FileSystemLoader(role / "templates"), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters |= {"basename": lambda path: Path(path).name, "dirname": lambda path: str(Path(path).parent)}
    return environment.get_template(UNITS[unit].split("templates/")[1]).render(values)


def directives(text: str) -> list[tuple[str, str, str]]:
    """Return section, name and value of every directive."""
    section, found = "", []
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match.group(1)
        elif line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.append((section, name, value))
    return found


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("unit", UNITS)
def test_only_directives_that_jetpack_knows(unit: str, gpu: bool) -> None:
    unknown = [
        f"[{section}] {name}"
        for section, name, _ in directives(render(unit, gpu))
        if name not in KNOWN_TO_249[section].split()
    ]
    assert unknown == []


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("unit", UNITS)
def test_every_line_is_one(unit: str, gpu: bool) -> None:
    """Where a template includes another, the next line must not become part of a value, nor a value be empty."""
    for _, name, value in directives(render(unit, gpu)):
        assert "#" not in value
        assert value or name == "CapabilityBoundingSet"


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("unit", EXPOSED)
def test_exposure(unit: str, gpu: bool, tmp_path: Path) -> None:
    path = tmp_path / unit
    path.write_text(render(unit, gpu))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(path)],
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-600:]


def test_a_gpu_worker_keeps_what_cuda_needs() -> None:
    """Devices, the network namespace of the driver's user, the sizes of /proc; and no limit on memory by guess."""
    names = {name for _, name, _ in directives(render("maie-worker.service", gpu=True))}
    forbidden = {"PrivateDevices", "DevicePolicy", "MemoryDenyWriteExecute", "ProcSubset", "PrivateUsers", "MemoryMax"}
    assert not names & forbidden
    assert "SupplementaryGroups=video\n" in render("maie-worker.service", gpu=True)


def test_a_worker_without_gpu_has_a_limit_and_no_devices() -> None:
    names = {name for _, name, _ in directives(render("maie-worker.service", gpu=False))}
    assert {"PrivateDevices", "MemoryMax"} <= names
    assert "SupplementaryGroups" not in names


@pytest.mark.parametrize("kind", ["asr", "llm"])
def test_only_a_worker_with_a_server_for_a_model_has_a_network(kind: str) -> None:
    alone = directives(render("maie-worker.service", gpu=False, maie_llm_backend="openai"))
    assert ("Service", "PrivateNetwork", "yes") in alone
    assert ("Service", "RestrictAddressFamilies", "AF_UNIX") in alone
    server = {f"maie_{kind}_backend": "openai", f"maie_{kind}_key": "k", "__maie_servers": ["http://127.0.0.1:1"]}
    near = directives(render("maie-worker.service", gpu=True, __maie_servers_are_local=True, **server))
    far = directives(render("maie-worker.service", gpu=True, __maie_servers_are_local=False, **server))
    assert {"PrivateNetwork", "IPAddressDeny"} & {name for _, name, _ in far} == set()
    assert {("Service", "IPAddressDeny", "any"), ("Service", "IPAddressAllow", "localhost")} <= set(near)
    assert ("Service", "LoadCredential", f"{kind}_key:/etc/maie/credentials/{kind}_key") in near


@pytest.mark.parametrize(
    ("backends", "urls", "servers", "local"),
    [
        ("openai faster_whisper", {}, [], True),
        ("openai faster_whisper", {"llm_url": "http+unix://%2Frun%2Fmaie%2Fllm.sock/v1"}, [], True),
        ("openai faster_whisper", {"llm_url": "https://llm.example.org/v1"}, ["https://llm.example.org/v1"], False),
        ("none openai", {}, [Settings.model_fields["asr_url"].default], True),
        ("none openai", {"asr_url": "http://localhost.example.org/v1"}, ["http://localhost.example.org/v1"], False),
        ("none faster_whisper", {"asr_url": "https://asr.example.org/v1"}, [], True),
    ],
)
def test_which_servers_are_asked_over_a_network(
    backends: str, urls: dict[str, str], servers: list[str], local: bool
) -> None:
    llm, asr = backends.split()
    given = {"maie_llm_backend": llm, "maie_asr_backend": asr, "maie_settings": urls}
    told = "{{ [__maie_servers, __maie_servers_are_local] | to_json }}"
    command = ["ansible", "localhost", "-m", "ansible.builtin.debug", "-a", f"msg={json.dumps(told)}"]
    command += ["-e", f"@{PROJECT}/roles/maie/vars/main.yml", "-e", json.dumps(given)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    assert json.dumps([servers, local]) in done.stdout


@pytest.mark.parametrize("unit", EXPOSED)
def test_a_service_never_stays_down(unit: str) -> None:
    found = directives(render(unit, gpu=False))
    assert ("Service", "Restart", "always") in found
    assert ("Unit", "StartLimitIntervalSec", "0") in found


def test_a_worker_that_is_stopped_may_finish_its_task() -> None:
    found = {name: value for _, name, value in directives(render("maie-worker.service", gpu=False))}
    assert found["KillMode"] == "mixed"
    assert found["OOMPolicy"] == "continue"
    assert int(found["TimeoutStopSec"]) > 3 * 3600 * 0.15


@pytest.mark.parametrize("unit", EXPOSED)
def test_no_secret_in_a_unit(unit: str) -> None:
    assert not re.search(r"^Environment=|password\s*=", render(unit, gpu=False), re.MULTILINE | re.IGNORECASE)
