"""What a fleet of eight costs beyond one device: nothing to compile, and seconds to install."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.builds import hosts_for_a_build
from support.stack import Figure
from support.virtual import PROJECT

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (os.environ.get("MAIE_BENCH") or os.environ.get("MAIE_TEST_FULL")),
        reason="nine virtual hosts: make bench, or make test-full",
    ),
]

FLEET = PROJECT / "tests/performance/fleet"
HOSTS = FLEET / "hosts.yml"
DEVICES = 8
UNITS = 24
MOST_SECONDS_PER_DEVICE = 15


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The virtual hosts; the variables of their builds."""
    with hosts_for_a_build(HOSTS, FLEET / "prepare.yml", tmp_path_factory.mktemp("fleet"), UNITS) as variables:
        yield variables


def run(build: dict[str, Any], playbook: str = str(FLEET / "install.yml")) -> tuple[float, str]:
    """Run a playbook; return its seconds and what it printed."""
    command = ["ansible-playbook", "-i", str(HOSTS), playbook, "-e", json.dumps(build)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout
    return time.monotonic() - began, done.stdout


def compiled(house: Path) -> tuple[int, int]:
    """Return how many objects were compiled for all wheels of a wheelhouse, and how many different ones there are."""
    logs = [path.read_text() for path in house.rglob("build.log")]
    objects = [name for log in logs for name in re.findall(r"Building CXX object (\S+)", log)]
    return len(objects), len(set(objects))


def test_eight_devices_cost_one_build(build: dict[str, Any], figure: Figure) -> None:
    house = Path(build["wheelhouse_dir"])
    cold, said = run(build)
    assert said.count("ctranslate2: compile (step") == 1
    work, one_build = compiled(house)
    again, said = run(build)
    assert len(re.findall(r"^jetson-fleet-0\d .*changed=0 ", said, re.MULTILINE)) == DEVICES
    removed = subprocess.run(
        ["ansible", "-i", str(HOSTS), "jetson", "-m", "ansible.builtin.command", "-a", "rm -rf /opt/built"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert removed.returncode == 0, removed.stdout
    warm, said = run(build)
    assert "compile" not in said
    per_device = (warm - again) / DEVICES
    figure(f"{DEVICES} devices, cold: {cold:.0f} s, {work} objects compiled; one build compiles {one_build}")
    figure(f"{DEVICES} devices, warm: {warm:.0f} s, none compiled; with nothing to do: {again:.0f} s")
    figure(f"a warm installation adds {per_device:.1f} s per device")
    assert work == one_build == UNITS + 3
    assert compiled(house) == (work, one_build)
    assert per_device <= MOST_SECONDS_PER_DEVICE
