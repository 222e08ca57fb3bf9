"""What the flash role does on the flashing host before a flash tool runs, here with a systemctl of the test."""

from __future__ import annotations

import bz2
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
URL = "http://192.0.2.1/bsp.tbz2"
ARCHIVE = {"url": URL, "pinned": "", "variable": "jetson_flash_bsp_sha256", "name": "bsp"}
BOARD = {"name": "jetson-001", "path": "1-1", "board": "jetson-orin-nano-devkit-super", "storage": "sd"}
READY = {"jetson_flash_accept_license": True, "jetson_flash_authorized_keys": ["ssh-ed25519 A"]}
AT_WORK = "jetson-flash-jetson-001.service loaded active running /bin/sh"
SYSTEMCTL = """#!/bin/sh
echo "$@" >>{called}
case $1 in
    list-units) cat {units} ;;
    is-active) echo inactive ;;
    show) printf 'LoadState=loaded\\nActiveState=inactive\\n' ;;
esac
"""
LBZIP2 = """#!{python}
import bz2, sys
bz2.open(sys.argv[-1]).read()
"""


class Flasher:
    """Flashing hosts that are folders of this machine, where task files of the role can be run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "units"
        self.units.touch()
        self.called = folder / "called"
        self.checksums = folder / "checksums.txt"
        (folder / "bin").mkdir()
        self.program("systemctl", SYSTEMCTL.format(called=self.called, units=self.units))
        self.program("lbzip2", LBZIP2.format(python=sys.executable))

    def program(self, name: str, text: str) -> None:
        """Put a program before the machine's own."""
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def cached(self, host: str, content: bytes) -> Path:
        """Put an archive into a flashing host's cache."""
        path = self.folder / host / "cache/bsp.tbz2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def run(self, tasks: str, *hosts: str, **values: Any) -> tuple[int, str]:
        """Run one of the role's task files; return status and output, the latter as one line."""
        own = {
            "jetson_flash_dir": f"{self.folder}/{{{{ inventory_hostname }}}}",
            "jetson_flash_log_dir": f"{self.folder}/log",
            "jetson_flash_artifacts": f"{self.folder}/artifacts",
            "jetson_flash_checksums": str(self.checksums),
        }
        role = {"ansible.builtin.include_role": {"name": "jetson_flash", "tasks_from": tasks}}
        play = [{"hosts": "all", "connection": "local", "gather_facts": False, "tasks": [role]}]
        (self.folder / "play.yml").write_text(json.dumps(play))
        (self.folder / "values.json").write_text(json.dumps({**own, **values}))
        command = ["ansible-playbook", "-i", "".join(f"{host}," for host in hosts or ["flasher-01"])]
        done = subprocess.run(
            [*command, "-e", f"@{self.folder}/values.json", str(self.folder / "play.yml")],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            },
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def flasher(tmp_path: Path) -> Flasher:
    return Flasher(tmp_path)


def test_nothing_is_removed_beside_a_step_at_work(flasher: Flasher) -> None:
    tree = flasher.folder / "flasher-01/36.4.3/Linux_for_Tegra"
    tree.mkdir(parents=True)
    flasher.units.write_text(f"{AT_WORK}\n")
    status, told = flasher.run("prepare")
    assert status != 0
    assert "jetson-flash-jetson-001.service on flasher-01 is still at work from an interrupted run" in told
    assert tree.is_dir()


def test_a_run_ends_before_it_looks_for_boards_while_a_step_is_at_work(flasher: Flasher) -> None:
    flasher.units.write_text(f"{AT_WORK}\n")
    status, told = flasher.run("main", **READY)
    assert status != 0
    assert "wait for it (systemctl status jetson-flash-jetson-001.service)" in told
    assert "Find the boards in recovery mode" not in told


def test_a_board_where_nobody_could_become_root_is_not_made(flasher: Flasher) -> None:
    status, told = flasher.run("validate", **READY, jetson_flash_passwordless_sudo=False)
    assert status != 0
    assert "Nobody could become root on a flashed board: set jetson_flash_passwordless_sudo: true" in told
    hashed = "$6$salt$hash"
    status, told = flasher.run(
        "validate", **READY, jetson_flash_passwordless_sudo=False, jetson_flash_password_hash=hashed
    )
    assert status == 0, told


def test_a_board_is_not_named_in_an_image_that_is_being_made(flasher: Flasher) -> None:
    hostname = flasher.folder / "flasher-01/36.4.3/Linux_for_Tegra/rootfs/etc/hostname"
    hostname.parent.mkdir(parents=True)
    hostname.write_text("jetson-002\n")
    flasher.units.write_text(f"{AT_WORK}\n")
    status, told = flasher.run("board", __jetson_flash_item=BOARD)
    assert status == 0, told
    assert "Record why the board was not flashed" in told
    assert hostname.read_text() == "jetson-002\n"


def test_an_earlier_flash_s_log_is_not_taken_for_this_one_s(flasher: Flasher) -> None:
    (flasher.folder / "log").mkdir()
    (flasher.folder / "log/jetson-001.log").write_text("has been flashed successfully\n")
    earlier = {"log": f"{flasher.folder}/log/jetson-000.log", "seconds": 600}
    status, told = flasher.run("board", __jetson_flash_item=BOARD, __jetson_flash_done=earlier)
    assert status == 0, told
    assert "Write the board's name into its image" in told
    assert not (flasher.folder / "artifacts/jetson-001.log").exists()


def test_what_is_no_archive_is_removed_and_not_recorded(flasher: Flasher) -> None:
    page = flasher.cached("flasher-01", b"<html>Please log in</html>")
    status, told = flasher.run("download", __jetson_flash_archive=ARCHIVE)
    assert status != 0
    assert f"What {URL} gave is not a whole bzip2 archive: a login page perhaps" in told
    assert not page.exists()
    assert not flasher.checksums.exists()


def test_a_second_flashing_host_is_held_to_the_first_one_s_sum(flasher: Flasher) -> None:
    first = flasher.cached("flasher-01", bz2.compress(b"as published"))
    second = flasher.cached("flasher-02", bz2.compress(b"changed meanwhile"))
    status, told = flasher.run("download", "flasher-01", "flasher-02", __jetson_flash_archive=ARCHIVE)
    assert status != 0
    kept, refused = (first, second) if first.exists() else (second, first)
    assert not refused.exists()
    assert flasher.checksums.read_text() == f"{hashlib.sha256(kept.read_bytes()).hexdigest()}  bsp.tbz2\n"
    assert told.count("that was written to") == 1


def test_an_automounter_that_an_interrupted_run_stopped_is_started(flasher: Flasher) -> None:
    marker = flasher.folder / "stopped"
    marker.touch()
    for _ in range(2):
        status, told = flasher.run("boards", __jetson_flash_to_do=[], __jetson_flash_automounter_stopped=str(marker))
        assert status == 0, told
    assert flasher.called.read_text().count("start udisks2.service") == 1
    assert not marker.exists()
