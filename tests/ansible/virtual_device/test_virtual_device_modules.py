"""The modules on the virtual device's doubles, without a container."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jetson_facts
import nvpmodel
import pytest
from ansible.module_utils.system_reader import SystemReader
from maie_jetson import board, jetson_clocks, release
from maie_jetson import nvpmodel as double
from plugin_runner import RunModule
from virtual_device_files import FOLDER, Device

PROGRAM = """\
#!{python}
import os, sys
sys.path[:0] = {folders!r}
os.geteuid = lambda: 0
from maie_jetson.{name} import main
sys.exit(main(sys.argv[1:]))
"""
FOLDERS = [str(FOLDER / part / "usr/lib/maie-virtual") for part in ("base", "jetson")]


@pytest.fixture
def booted(device: Device, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Device]:
    """Boot the device with faults; its programs are on the path, and the modules work below its root."""
    for name in ("nvpmodel", "jetson_clocks", "tegrastats"):
        text = PROGRAM.format(python=sys.executable, folders=FOLDERS, name=name)
        device.write(f"/programs/{name}", text, mode=0o755)
    monkeypatch.setenv("PATH", f"{device.path('/programs')}:{os.environ['PATH']}")
    monkeypatch.setattr(nvpmodel, "ROOT", device.root)

    def boot(faults: str = "") -> Device:
        device.faults(faults)
        board.write_files()
        assert double.main(["-f", "/etc/nvpmodel.conf"]) == 0
        return device

    return boot


def facts_of(device: Device) -> dict[str, Any]:
    """Record what the programs print, and return the facts."""
    for command in ("nvpmodel -q", "jetson_clocks --show"):
        done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
        device.write(f"/recorded/{command.replace(' ', '_')}", done.stdout)
    device.write(
        "/recorded/tegrastats_--interval", SystemReader(Path("/")).first_line("tegrastats", "--interval", "100")
    )
    listing = "".join(
        f"{package}\t{version}\tinstall\tinstalled\n" for package, version in release.package_versions("36.4.3").items()
    )
    device.write("/recorded/dpkg-query_-W", listing)
    facts: dict[str, Any] = jetson_facts.collect(device.root, [])
    return facts


def test_the_virtual_device_is_an_orin_nano_super(booted: Callable[[str], Device]) -> None:
    facts = facts_of(booted(""))
    assert facts["is_jetson"]
    assert {key: facts["board"][key] for key in ("module", "name", "super")} == {
        "module": "p3767-0005",
        "name": "orin-nano",
        "super": True,
    }
    assert (facts["l4t"]["jetpack"], facts["l4t"]["consistent"]) == ("6.2", True)
    power = facts["power"]
    assert power["current"] == {"id": 1, "name": "25W"}
    assert (power["gpu_limit_hz"], power["emc_limit_hz"]) == (918_000_000, 3_199_000_000)
    assert power["clocks_pinned"] is False
    assert power["conf_problem"] is None
    assert (facts["stats"]["largest_free_blocks"], facts["stats"]["largest_free_block_bytes"]) == (1, 4 * 2**20)
    assert "cpu-thermal" in [zone["name"] for zone in facts["thermal"]]
    assert facts["unreadable"] == []


@pytest.mark.parametrize("fault", ["true", "linked"])
def test_the_power_modes_of_another_module_are_told(booted: Callable[[str], Device], fault: str) -> None:
    power = facts_of(booted(f"foreign_power_conf: {fault}\n"))["power"]
    assert [model["name"] for model in power["models"]] == ["10W", "25W", "MAXN_SUPER"]
    assert power["conf_problem"] == (
        "/etc/nvpmodel.conf is not the file of this module (expected nvpmodel_p3767_0003_super.conf or its -0005 "
        "twin), but nvpmodel_p3767_0004_super.conf"
    )


@pytest.mark.parametrize(("fault", "stuck"), [("", None), ("gpu_stuck: true\n", 624_750_000)])
def test_a_gpu_that_stays_below_its_mode_is_told(
    booted: Callable[[str], Device], fault: str, stuck: int | None
) -> None:
    device = booted(fault)
    assert double.main(["-m", "2"]) == 0
    assert jetson_clocks.main([]) == 0
    power = facts_of(device)["power"]
    assert (power["gpu_limit_hz"], power["gpu_stuck_hz"]) == (1_020_000_000, stuck)


def test_the_mode_is_set_and_holds(booted: Callable[[str], Device], run_module: RunModule) -> None:
    booted("")
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (result["changed"], result["gpu_limit_hz"], result["emc_limit_hz"]) == (True, 1_020_000_000, 3_199_000_000)
    assert not run_module(nvpmodel, mode="MAXN_SUPER")["changed"]


def state(root: Path) -> dict[str, bytes]:
    """What must stay as it is: modes and clocks."""
    return {
        str(path): path.read_bytes()
        for folder in ("sys", "var/lib/nvpmodel")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("not_super: true\n", "flashed without the super configuration"),
        ("mode_without_effect: true\n", "the GPU allows 918 MHz, not its full 1020 MHz."),
        (
            "nvpmodel_fails: true\n",
            "it said 'NVPM ERROR: Error writing GPU MAX_FREQ",
        ),
    ],
)
def test_a_fault_is_told_and_nothing_is_other_than_before(
    booted: Callable[[str], Device], run_module: RunModule, fault: str, message: str
) -> None:
    device = booted(fault)
    before = state(device.root)
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["failed"]
    assert message in result["msg"]
    assert state(device.root) == before


def test_a_mode_that_needs_a_reboot_holds_after_it(booted: Callable[[str], Device], run_module: RunModule) -> None:
    device = booted("mode_needs_reboot: MAXN_SUPER\n")
    first = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (first["changed"], first["reboot_required"], first["gpu_limit_hz"]) == (True, True, 918_000_000)
    second = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (second["changed"], second["reboot_required"]) == (False, True)
    device.path("/run/maie-virtual/power-mode").unlink()
    device.path(nvpmodel.WAITING).unlink()
    assert double.main(["-f", "/etc/nvpmodel.conf"]) == 0
    third = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (third["changed"], third["reboot_required"], third["gpu_limit_hz"]) == (False, False, 1_020_000_000)
