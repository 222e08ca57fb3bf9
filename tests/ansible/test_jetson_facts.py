"""The facts of whole systems: recorded ones, changed ones, and the one that the tests run on."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import jetson_facts
import pytest
from ansible.module_utils import system_reader
from plugin_runner import RunModule
from recorded import FOLDER, SYSTEMS, copy

PATHS = ["/var/lib", "/mnt/data"]


def facts_of(root: Path) -> dict[str, Any]:
    """As Ansible gets them."""
    facts: dict[str, Any] = json.loads(json.dumps(jetson_facts.collect(root, PATHS)))
    return facts


def refuse(monkeypatch: pytest.MonkeyPatch, file: Path, error: OSError) -> None:
    """Let one file be there and not be readable, as a driver's may be."""
    really = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == file:
            raise error
        return really(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)


def test_at_least_twelve_systems_are_recorded() -> None:
    assert len(SYSTEMS) >= 12


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_facts_of_a_recorded_system(system: str) -> None:
    expected = json.loads((FOLDER / system / "expected.json").read_text())
    assert facts_of(FOLDER / system) == expected
    assert len((FOLDER / system / "SOURCE").read_text().splitlines()) == 1


# What expected.json must say at least, written by hand.
@pytest.mark.parametrize(
    ("system", "module", "name", "is_super", "jetpack", "mode", "gpu_mhz", "emc_mhz", "pinned", "root_kind"),
    [
        ("orin-nano-super-36.4.3", "p3767-0005", "orin-nano", True, "6.2", "25W", 918, 3199, False, "nvme"),
        ("orin-nano-36.4.3", "p3767-0005", "orin-nano", False, "6.2", "15W", 624.75, 2133, False, "sd"),
        (
            "orin-nano-with-super-conf-36.4.3",
            *("p3767-0005", "orin-nano", False, "6.2", "MAXN_SUPER", 624.75, 2133, False, "usb"),
        ),
        ("orin-nano-super-36.4.4", "p3767-0005", "orin-nano", True, "6.2.1", "MAXN_SUPER", 1020, 3199, True, "nvme"),
        ("orin-nano-super-36.4.7", "p3767-0005", "orin-nano", True, "6.2.1", "MAXN_SUPER", 1020, 3199, False, "nvme"),
        ("orin-nano-super-36.5.0", "p3767-0005", "orin-nano", True, "6.2.2", "25W", 918, 3199, False, "nvme"),
        ("orin-nano-super-39.2.1", "p3767-0005", "orin-nano", True, "7.2.1", "25W", 918, 3199, False, "sd"),
        ("orin-nano-35.4.1", "p3767-0005", "orin-nano", False, "5.1.2", "15W", 624.75, 0, False, "sd"),
        ("orin-nx-16-super-36.4.3", "p3767-0000", "orin-nx", True, "6.2", "40W", 1173, 3199, False, "nvme"),
        (
            "orin-nx-8-on-nx-16-tree-36.4.4",
            *("p3767-0001", "orin-nx", True, "6.2.1", "MAXN_SUPER", 1173, 3199, False, "nvme"),
        ),
        ("agx-orin-36.4.3", "p3701-0005", "agx-orin", False, "6.2", "MODE_50W", 816, 3199, False, "emmc"),
        ("agx-thor-38.4.0", "p3834-0008", "thor", False, "7.1", "MAXN", 1575, 4266, True, "nvme"),
        ("xavier-nx-35.4.1", "p3668-0001", "xavier", False, "5.1.2", "MODE_15W_6CORE", 1109.25, None, None, "emmc"),
    ],
)
def test_what_matters_most_of_each_board(
    system: str,
    module: str,
    name: str,
    is_super: bool,
    jetpack: str,
    mode: str,
    gpu_mhz: float,
    emc_mhz: float | None,
    pinned: bool | None,
    root_kind: str,
) -> None:
    facts = facts_of(FOLDER / system)
    assert facts["is_jetson"]
    assert (facts["board"]["module"], facts["board"]["name"], facts["board"]["super"]) == (module, name, is_super)
    assert facts["l4t"]["jetpack"] == jetpack
    power = facts["power"]
    assert power["current"]["name"] == mode
    assert power["gpu_limit_hz"] == gpu_mhz * 1e6
    assert power["emc_limit_hz"] == (None if emc_mhz is None else emc_mhz * 1e6)
    assert power["clocks_pinned"] is pinned
    assert facts["disk"][0]["path"] == "/"
    assert facts["disk"][0]["kind"] == root_kind


@pytest.mark.parametrize("system", ["x86-host", "virtual-machine"])
def test_another_machine_is_no_jetson_and_has_memory_and_disks(system: str) -> None:
    facts = facts_of(FOLDER / system)
    assert not facts["is_jetson"]
    assert facts.keys() & {"board", "l4t", "power"} == set()
    assert facts["memory"]["total_bytes"] > 0
    assert all(disk["total_bytes"] > 0 for disk in facts["disk"])


def test_each_path_has_the_disk_that_holds_it() -> None:
    kinds = {
        system: [(disk["device"], disk["kind"]) for disk in facts_of(FOLDER / system)["disk"]]
        for system in ("agx-orin-36.4.3", "virtual-machine", "x86-host")
    }
    assert kinds == {
        "agx-orin-36.4.3": [("/dev/mmcblk0p1", "emmc"), ("/dev/mmcblk0p1", "emmc"), ("/dev/nvme0n1p1", "nvme")],
        "virtual-machine": [("/dev/vda1", "disk"), ("tmpfs", "virtual"), ("/dev/vda2", "disk")],
        "x86-host": [("/dev/dm-1", "nvme"), ("/dev/dm-1", "nvme"), ("/dev/sda1", "usb")],
    }


def test_packages_of_two_releases_are_told() -> None:
    l4t = facts_of(FOLDER / "orin-nano-super-mixed")["l4t"]
    assert (l4t["release"], l4t["package_releases"], l4t["consistent"]) == ("36.4.4", ["36.4.4", "36.4.7"], False)


def test_packages_of_another_release_than_the_systems_are_told(tmp_path: Path) -> None:
    root = copy("orin-nano-super-36.4.4", tmp_path / "system")
    release = root / "etc/nv_tegra_release"
    release.write_text(release.read_text().replace("REVISION: 4.4", "REVISION: 4.7"))
    l4t = facts_of(root)["l4t"]
    assert (l4t["release"], l4t["package_releases"], l4t["consistent"]) == ("36.4.7", ["36.4.4"], False)


def test_held_packages_are_named() -> None:
    assert "nvidia-l4t-core" in facts_of(FOLDER / "orin-nano-super-36.4.7")["l4t"]["held"]
    assert facts_of(FOLDER / "orin-nano-super-36.4.3")["l4t"]["held"] == []


def test_a_zone_whose_part_is_off_has_no_temperature_and_is_not_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy("orin-nano-super-36.4.3", tmp_path / "system")
    zone = root / "sys/class/thermal/thermal_zone2/temp"
    zone.write_text("")
    refuse(monkeypatch, zone, OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    facts = facts_of(root)
    assert facts["thermal"][1:3] == [
        {"name": "gpu-thermal", "celsius": 50.125},
        {"name": "cv0-thermal", "celsius": None},
    ]
    assert facts["unreadable"] == []


def test_the_thermal_zones_stand_in_their_order(tmp_path: Path) -> None:
    for number in range(12):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(f"zone-{number}\n")
    assert [zone["name"] for zone in facts_of(tmp_path)["thermal"]] == [f"zone-{number}" for number in range(12)]


def test_what_can_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copy("orin-nano-35.4.1", tmp_path / "system")
    cap = root / "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
    refuse(monkeypatch, cap, PermissionError(errno.EACCES, "Permission denied"))
    facts = facts_of(root)
    assert facts["power"]["emc_limit_hz"] is None
    assert facts["unreadable"] == ["/sys/kernel/nvpmodel_emc_cap/emc_iso_cap: Permission denied"]


def test_the_system_at_hand(tmp_path: Path, run_module: RunModule) -> None:
    later = tmp_path / "not" / "there" / "yet"
    facts = run_module(jetson_facts, paths=[str(later)])["ansible_facts"]["jetson"]
    assert [disk["path"] for disk in facts["disk"]] == ["/", str(later)]
    assert all(0 < disk["free_bytes"] <= disk["total_bytes"] for disk in facts["disk"])
    assert all(disk["kind"] and disk["device"] for disk in facts["disk"])
    assert facts["memory"]["total_bytes"] > facts["memory"]["available_bytes"] > 0
    assert facts["python"].startswith("3.")


def test_a_path_that_must_not_be_looked_at_stands_for_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.exists

    def exists(path: Path) -> bool:
        if path.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(path)

    monkeypatch.setattr(Path, "exists", exists)
    assert jetson_facts.SystemReader(Path("/")).nearest(str(tmp_path / "closed")) == str(tmp_path)


def test_a_program_that_fails_is_told_with_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "jetson_clocks"
    program.write_text("#!/bin/sh\necho 'Error: Run this script as a root user'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    read = jetson_facts.SystemReader(Path("/"))
    read.output("jetson_clocks", "--show")
    read.output("nvpmodel-that-is-not-there", "-q")
    assert read.unreadable == ["jetson_clocks --show: Error: Run this script as a root user"]


FOREIGN = (
    "/etc/nvpmodel.conf is not the file of this module (expected nvpmodel_p3767_0003_super.conf or its -0005 twin)"
)
SMALLER = "nvpmodel_p3767_0004_super.conf"
LARGER = "nvpmodel_p3767_0000_super.conf"


def board_with_all_files(folder: Path) -> Path:
    """An Orin Nano Super with the files of three modules, as JetPack ships them."""
    root = copy("orin-nano-super-36.4.3", folder)
    own = root / "etc/nvpmodel/nvpmodel_p3767_0003_super.conf"
    (own.parent / LARGER).write_text((FOLDER / "orin-nx-16-super-36.4.3/etc/nvpmodel" / LARGER).read_text())
    smaller = own.read_text().replace("NAME=15W", "NAME=10W").replace("TPC_PG_MASK 240", "TPC_PG_MASK 252")
    (own.parent / SMALLER).write_text(smaller)
    return root


@pytest.mark.parametrize("name", [SMALLER, LARGER])
@pytest.mark.parametrize("how", ["linked", "copied", "copied and changed", "copied through the link"])
def test_the_power_modes_of_another_module_are_told(tmp_path: Path, name: str, how: str) -> None:
    root = board_with_all_files(tmp_path / "system")
    conf = root / "etc/nvpmodel.conf"
    text = (root / "etc/nvpmodel" / name).read_text()
    if how == "copied through the link":
        conf.write_text(text)
    else:
        conf.unlink()
        if how == "linked":
            conf.symlink_to(f"nvpmodel/{name}")
        else:
            conf.write_text(text if how == "copied" else f"# mine\n{text.replace('DEFAULT=1', 'DEFAULT=2')}")
    assert facts_of(root)["power"]["conf_problem"] == f"{FOREIGN}, but {name}"


def test_modes_for_more_cores_are_told_where_their_file_is_not_there(tmp_path: Path) -> None:
    root = board_with_all_files(tmp_path / "system")
    (root / "etc/nvpmodel.conf").unlink()
    (root / "etc/nvpmodel" / LARGER).rename(root / "etc/nvpmodel.conf")
    assert facts_of(root)["power"]["conf_problem"] == f"{FOREIGN}, but one for 8 cores"


def test_the_modules_own_power_modes_are_right_however_they_came_there(tmp_path: Path) -> None:
    root = board_with_all_files(tmp_path / "system")
    conf = root / "etc/nvpmodel.conf"
    assert facts_of(root)["power"]["conf_problem"] is None
    text = conf.read_text()
    conf.unlink()
    conf.write_text(text)
    assert facts_of(root)["power"]["conf_problem"] is None
    conf.write_text(f"{text}\n< POWER_MODEL ID=9 NAME=MINE >\nCPU_ONLINE CORE_0 1\nGPU MAX_FREQ 408000000\n")
    assert facts_of(root)["power"]["conf_problem"] is None


def test_a_program_that_prints_on_and_on_is_ended_after_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho 'RAM 1/2MB (lfb 3x4MB)'\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    stats = jetson_facts.stats_facts(jetson_facts.SystemReader(Path("/")))
    assert (stats["largest_free_blocks"], stats["swap_used_bytes"]) == (3, None)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_program_that_prints_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tegrastats"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(system_reader, "PATIENCE", 0.2)
    assert jetson_facts.stats_facts(jetson_facts.SystemReader(Path("/"))) is None
