"""A build that is killed goes on where it was; what is published is whole, or not there."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.builds import hosts_for_a_build
from support.stack import Figure
from support.virtual import PROJECT, docker

pytestmark = [pytest.mark.device, pytest.mark.timeout(3600)]

HOSTS = PROJECT / "tests/e2e/device/wheelhouse/hosts.yml"
LAUNCHER = "/usr/local/bin/slow_writer"
BUILDER = "builder-e2e-01"
KILLS = 10 if os.environ.get("MAIE_TEST_FULL") else 3
UNITS = 8 * KILLS
SWAP = "/var/cache/maie-build/swap"
MOST_WORK = 1.3
"""Objects that are compiled in all, over those that one build compiles. A kill costs those at work: 2 of 8 at most."""


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """A bare builder with the fixture's repositories; the variables of its build."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    with hosts_for_a_build(HOSTS, HOSTS.with_name("repositories.yml"), folder, UNITS) as variables:
        docker("cp", str(HOSTS.with_name("slow_writer")), f"{BUILDER}:{LAUNCHER}")
        options = {**variables["ctranslate2_options"], "CMAKE_CXX_COMPILER_LAUNCHER": LAUNCHER}
        yield {**variables, "ctranslate2_options": options, "wheelhouse_jobs": 2, "wheelhouse_swap_mb": 64}


def at_work() -> str:
    """Return the unit that builds; empty while there is none."""
    listed = docker(
        "exec", BUILDER, "systemctl", "list-units", "--plain", "--no-legend", "--state=running", "maie-build-*"
    )
    return listed.split()[0] if listed.strip() else ""


def compiled() -> list[str]:
    """Return the objects that the build has begun to compile, over all runs."""
    noted = docker("exec", BUILDER, "bash", "-c", "cat /var/log/compiled || true")
    return re.findall(r" -o (\S+\.cc\.o) ", noted)


def swaps() -> str:
    """Return what the builder swaps to; on a virtual host a double."""
    return docker("exec", BUILDER, "cat", "/proc/swaps")


def kill(what: str, unit: str, playing: subprocess.Popen[str]) -> None:
    """End the build, the builder or the playbook without a word."""
    if what == "build":
        docker("exec", BUILDER, "systemctl", "kill", "--signal=SIGKILL", unit)
    elif what == "builder":
        docker("kill", "--signal=KILL", BUILDER)
        docker("start", BUILDER)
        docker("exec", BUILDER, "/usr/lib/maie-virtual/up", "60")
    else:
        os.killpg(playing.pid, signal.SIGKILL)


def test_killed_builds_go_on(builder: dict[str, object], figure: Figure) -> None:
    command = ["ansible-playbook", "-i", str(HOSTS), "playbooks/build.yml", "-e", json.dumps(builder)]
    house = Path(str(builder["wheelhouse_dir"]))
    chance = random.Random()
    for number in range(KILLS):
        # A build goes on when its playbook is killed, so that comes last, and before it never near the end.
        what = ("playbook", "builder", "build")[(KILLS - 1 - number) % 3]
        playing = subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        wanted = UNITS * chance.uniform(number, number + 1) / (KILLS + 1)
        while (unit := at_work()) == "" or len(compiled()) < wanted:
            assert playing.poll() is None, playing.communicate()[0]
            time.sleep(0.2)
        assert SWAP in swaps()
        kill(what, unit, playing)
        said = playing.communicate(timeout=120)[0]
        assert playing.returncode != 0, said
        if what == "build":
            assert "Run again to resume." in re.sub(r"\s+", " ", said)
        assert not list(house.rglob("*.whl"))
    dry = subprocess.run([*command, "--check"], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    promised = re.search(r"Would build\s+ctranslate2\s+([0-9a-f]{64})", dry.stdout)
    assert promised, dry.stdout
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"\d\d:\d\d:\d\d {BUILDER} ctranslate2: ", done.stdout)
    assert SWAP not in swaps()
    docker("exec", BUILDER, "test", "!", "-e", SWAP)
    artefact = next(house.rglob("*.whl")).parent
    assert artefact.name == promised[1]
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=artefact, check=False).returncode == 0
    begun = compiled()
    objects = set(re.findall(r"Building CXX object (\S+)", (artefact / "build.log").read_text()))
    assert objects == set(begun)
    work = len(begun) / len(objects)
    figure(f"{KILLS} kills: {len(objects)} objects, {work:.2f} times the work of one build")
    assert len(objects) == UNITS + 3
    assert work <= MOST_WORK
    again = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert "changed=0" in again.stdout
