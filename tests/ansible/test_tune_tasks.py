"""Task files of the role jetson_tune by themselves, on this machine, with the facts of boards."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def run_tasks(folder: Path, tasks: str, facts: dict[str, Any], show: str = "''", **variables: Any) -> tuple[int, str]:
    """Run one task file; return the exit status and, as one line, what was printed, ``show`` at its end."""
    role = {"name": "jetson_tune", "tasks_from": tasks}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": variables,
        "tasks": [
            {"ansible.builtin.set_fact": {"jetson": facts, "cacheable": True}},
            {"ansible.builtin.include_role": role},
            {"ansible.builtin.debug": {"msg": f"{{{{ {show} }}}}"}},
        ],
    }
    playbook = folder / "play.yml"
    playbook.write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(playbook)],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "PATH": f"{folder}:{os.environ['PATH']}",
        },
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("kind", "insisted", "refused"),
    [
        ("nvme", False, None),
        ("sd", False, "/dev/mine, an SD card: swap is slow"),
        ("emmc", False, "/dev/mine, an eMMC chip: swap is slow"),
        ("usb", False, "/dev/mine, a USB drive: swap is slow"),
        ("unknown", False, "/dev/mine, a disk of unknown kind: swap is slow"),
        ("unknown", True, None),
    ],
)
def test_swap_goes_only_where_it_wears_nothing_out(
    tmp_path: Path, kind: str, insisted: bool, refused: str | None
) -> None:
    disk = {"path": str(tmp_path), "device": "/dev/mine", "kind": kind, "free_bytes": 2**40}
    status, printed = run_tasks(
        tmp_path,
        "validate_swap",
        {"disk": [disk]},
        jetson_tune_swap_file=str(tmp_path / "swap"),
        jetson_tune_swap_on_sd=insisted,
    )
    assert (status == 0) is (refused is None), printed
    assert (refused or "") in printed


def test_a_swap_file_needs_room(tmp_path: Path) -> None:
    disk = {"path": str(tmp_path), "device": "/dev/mine", "kind": "nvme", "free_bytes": 100 * 2**20}
    where = {"jetson_tune_swap_file": str(tmp_path / "swap"), "jetson_tune_swap_size_mb": 100}
    status, printed = run_tasks(tmp_path, "validate_swap", {"disk": [disk]}, **where)
    assert status != 0
    assert "MiB free and the swap file takes 100. Make room" in printed


@pytest.mark.parametrize(
    ("unit_seconds", "file_exists", "state"),
    [(100, True, "outdated"), (-100, True, "current"), (None, True, "outdated"), (100, False, "current")],
    ids=["older than its file", "younger", "never started", "no file"],
)
def test_a_unit_that_is_older_than_its_file_is_outdated(
    tmp_path: Path, unit_seconds: int | None, file_exists: bool, state: str
) -> None:
    file = tmp_path / "unit.conf"
    if file_exists:
        file.write_text("new")
    active = 0 if unit_seconds is None else int((time.monotonic() - unit_seconds) * 1e6)
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n[ $4 = mine.service ] && echo {active}\n")
    program.chmod(0o755)
    status, printed = run_tasks(
        tmp_path,
        "outdated",
        {},
        show="'it is ' ~ __jetson_tune_outdated.stdout",
        __jetson_tune_outdated_unit="mine.service",
        __jetson_tune_outdated_files=[str(file)],
    )
    assert status == 0, printed
    assert f"it is {state}" in printed
