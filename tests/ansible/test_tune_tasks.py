"""Task files of the role jetson_tune by themselves, on this machine, with the facts of boards."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
import units as unit_filters
from host_plays import PROJECT, Told, play
from jinja2 import Environment

SWAP = {
    "nvme": ("nvme", False, ""),
    "sd": ("sd", False, "/dev/mine, an SD card: swap is slow"),
    "emmc": ("emmc", False, "/dev/mine, an eMMC chip: swap is slow"),
    "usb": ("usb", False, "/dev/mine, a USB drive: swap is slow"),
    "unknown": ("unknown", False, "/dev/mine, a disk of unknown kind: swap is slow"),
    "unknown-but-wanted": ("unknown", True, ""),
    "full": ("nvme", False, "MiB free and the swap file takes 100. Make room"),
}
"""By name of the case: the kind of disk, whether the operator insists, the refusal."""
UNITS = {
    "older": (100, True, "outdated"),
    "younger": (-100, True, "current"),
    "never-started": (None, True, "outdated"),
    "no-file": (100, False, "current"),
}
"""By name of the unit: by how many seconds it is older than its file, whether that is there, what must be said."""


def role(tasks: str) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": "jetson_tune", "tasks_from": tasks}}


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What the role says of a swap file on each of the disks."""
    folder = tmp_path_factory.mktemp("swap")
    hosts = {}
    for name, (kind, insisted, _) in SWAP.items():
        free = 100 * 2**20 if name == "full" else 2**40
        disk = {"path": str(folder), "device": "/dev/mine", "kind": kind, "free_bytes": free}
        hosts[name] = {
            "board": {"disk": [disk]},
            "jetson_tune_swap_file": str(folder / "swap"),
            "jetson_tune_swap_on_sd": insisted,
            "jetson_tune_swap_size_mb": 100,
        }
    facts = {"ansible.builtin.set_fact": {"jetson": "{{ board }}", "cacheable": True}}
    return play(folder, [facts, role("validate_swap")], hosts)


@pytest.mark.parametrize("case", SWAP)
def test_swap_goes_only_where_there_is_room_and_it_wears_nothing_out(swap: dict[str, Told], case: str) -> None:
    refusal = SWAP[case][2]
    assert swap[case].failed is bool(refusal), swap[case].said
    assert refusal in swap[case].said


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What the role says of each unit."""
    folder = tmp_path_factory.mktemp("units")
    answers, hosts = [], {}
    for name, (older_by, has_file, _) in UNITS.items():
        file = folder / f"{name}.conf"
        if has_file:
            file.write_text("new")
        active = 0 if older_by is None else int((time.monotonic() - older_by) * 1e6)
        answers.append(f"{name}.service) echo {active} ;;")
        hosts[name] = {
            "__jetson_tune_outdated_unit": f"{name}.service",
            "__jetson_tune_outdated_files": [str(file)],
        }
    program = folder / "systemctl"
    program.write_text("\n".join(["#!/bin/sh", "case $4 in", *answers, "esac\n"]))
    program.chmod(0o755)
    show = {"ansible.builtin.debug": {"msg": "it is {{ __jetson_tune_outdated.stdout }}"}}
    return play(folder, [role("outdated"), show], hosts, PATH=f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_that_is_older_than_its_file_is_outdated(units: dict[str, Told], unit: str) -> None:
    assert not units[unit].failed, units[unit].said
    assert f"it is {UNITS[unit][2]}" in units[unit].said


SHOWN = "LoadState={}\nActiveState={}\nUnitFileState={}\nFragmentPath={}\n"
SERVICES = {
    "masked": (("masked", "inactive", "masked", "/etc/systemd/system/a.service"), True),
    "masked-until-the-next-boot": (("masked", "inactive", "masked-runtime", "/run/systemd/system/a.service"), False),
    "masked-and-still-up": (("masked", "active", "masked", "/etc/systemd/system/a.service"), False),
    "disabled": (("loaded", "inactive", "disabled", "/lib/systemd/system/a.service"), False),
    "its-own-and-disabled": (("loaded", "failed", "disabled", "/etc/systemd/system/a.service"), True),
    "its-own-and-enabled": (("loaded", "inactive", "enabled", "/etc/systemd/system/a.service"), False),
    "static": (("loaded", "inactive", "static", "/lib/systemd/system/a.service"), False),
    "not-there": (("not-found", "inactive", "", ""), True),
}
"""By service: what systemd says of it, and whether there is nothing to be done."""


def test_only_services_that_are_not_off_are_touched() -> None:
    shown = "\n".join(SHOWN.format(*said) for said, _ in SERVICES.values())
    states = unit_filters.unit_states(shown, list(SERVICES))
    assert [name for name, state in states.items() if state["running"]] == ["masked-and-still-up"]
    touched = unit_filters.units_not_off(list(SERVICES), states)
    assert touched == [name for name, (_, is_off) in SERVICES.items() if not is_off]


def test_a_kernel_setting_that_yaml_takes_for_a_truth_value_is_a_number() -> None:
    source = (PROJECT / "roles/jetson_tune/templates/sysctl.conf.j2").read_text()
    told = (
        Environment(trim_blocks=True)
        .from_string(source)
        .render(jetson_tune_sysctl={"net.ipv4.ip_forward": True, "vm.swappiness": 10})
    )
    assert told.splitlines()[1:] == ["net.ipv4.ip_forward = 1", "vm.swappiness = 10"]
