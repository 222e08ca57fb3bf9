"""The scripted faults of the virtual Jetson, without a container."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from maie_jetson import board, jetson_clocks, nvpmodel, powerconf, release, storage, tegrastats
from maie_virtual import disk
from virtual_device_files import POWER_CONF, Device

GPU_LIMIT = "/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"
STATUS = "/var/lib/nvpmodel/status"


def boot(device: Device) -> None:
    """What happens between a reboot and the first login."""
    device.path("/run/maie-virtual/power-mode").unlink(missing_ok=True)
    board.write_files()
    assert nvpmodel.main(["-f", "/etc/nvpmodel.conf"]) == 0


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What the caller's standard input holds; empty for none."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def reboots(device: Device, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program systemctl that writes what it was asked for into the file returned."""
    asked = device.path("/asked")
    device.write("/bin/systemctl", f'#!/bin/sh\necho "$@" >>{asked}\n', mode=0o755)
    monkeypatch.setenv("PATH", f"{device.path('/bin')}:{os.environ['PATH']}")
    return asked


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", "NVPM ERROR: bad input!\nNVPM ERROR: optMask is 1, no request for power mode\n"),
        ("no\n", "NVPM ERROR: optMask is 1, no request for power mode\n"),
    ],
)
def test_mode_that_needs_a_reboot_is_not_taken_without_a_yes(
    device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, errors: str
) -> None:
    device.faults("mode_needs_reboot: MAXN_SUPER\n")
    boot(device)
    asked = reboots(device, monkeypatch)
    answer(monkeypatch, text)
    assert nvpmodel.main(["-m", "2"]) == 234
    printed = capsys.readouterr()
    assert printed.out == (
        "NVPM WARN: Golden image context is already created\n"
        "NVPM WARN: Reboot required for changing to this power mode: 2\n"
        "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:\n"
    )
    assert printed.err == errors
    assert device.read(STATUS) == "pmode:0001\n"
    assert int(device.read(GPU_LIMIT)) == 918000000
    assert not asked.exists()


@pytest.mark.parametrize(("text", "options"), [("yes\n", []), ("YES\n", []), ("", ["--force"])])
def test_yes_or_force_reboots_into_the_mode(
    device: Device, monkeypatch: pytest.MonkeyPatch, text: str, options: list[str]
) -> None:
    device.faults("mode_needs_reboot: MAXN_SUPER\n")
    boot(device)
    asked = reboots(device, monkeypatch)
    answer(monkeypatch, text)
    assert nvpmodel.main(["-m", "2", *options]) == 0
    assert asked.read_text() == "reboot\n"
    assert int(device.read(GPU_LIMIT)) == 918000000
    boot(device)
    assert int(device.read(GPU_LIMIT)) == 1020000000


def test_changed_status_file_holds_from_the_next_boot(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.faults("mode_needs_reboot: MAXN_SUPER\n")
    boot(device)
    device.write(STATUS, "pmode:0002\n")
    assert int(device.read(GPU_LIMIT)) == 918000000
    boot(device)
    assert int(device.read(GPU_LIMIT)) == 1020000000
    nvpmodel.main(["-q"])
    assert capsys.readouterr().out == "NV Power Mode: MAXN_SUPER\n2\n"


def test_other_modes_are_taken_at_once(device: Device) -> None:
    device.faults("mode_needs_reboot: MAXN_SUPER\n")
    boot(device)
    assert nvpmodel.main(["-m", "0"]) == 0
    assert int(device.read(GPU_LIMIT)) == 612000000


def test_seven_watts_leave_four_cores_after_a_reboot(
    device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device.faults("mode_needs_reboot: true\n")
    boot(device)
    assert nvpmodel.main(["-m", "2"]) == 0
    answer(monkeypatch, "")
    assert nvpmodel.main(["-m", "3"]) == nvpmodel.FAILED
    device.write(STATUS, "pmode:0003\n")
    boot(device)
    assert int(device.read(GPU_LIMIT)) == 408000000
    assert nvpmodel.main(["-m", "2"]) == nvpmodel.FAILED
    capsys.readouterr()
    jetson_clocks.main(["--show"])
    shown = capsys.readouterr().out
    assert "Online CPUs: 0-3\n" in shown
    assert re.findall(r"(cpu\d):  Online=0", shown) == ["cpu4", "cpu5"]
    device.write("/proc/meminfo", device.read("/run/maie-virtual/meminfo"))
    assert "0%@729,off,off]" in tegrastats.line(root=True)


def test_seven_watts_come_and_go_with_the_fault(device: Device) -> None:
    stock = POWER_CONF.read_text()
    changed = powerconf.with_seven_watts(stock, wanted=True)
    modes = powerconf.parse(changed).modes
    assert {number: mode.name for number, mode in modes.items()}[3] == "7W"
    assert sum(value for name, _, value in modes[3].settings if name == "CPU_ONLINE") == 4
    assert powerconf.with_seven_watts(changed, wanted=True) == changed
    assert powerconf.with_seven_watts(changed, wanted=False) == stock


def test_relinked_board_has_only_the_old_modes(device: Device) -> None:
    device.faults("not_super: relinked\n")
    boot(device)
    conf = powerconf.parse(device.read("/etc/nvpmodel.conf"))
    assert {number: mode.name for number, mode in conf.modes.items()} == {0: "15W", 1: "7W"}
    assert int(device.read(GPU_LIMIT)) == 624750000
    assert int(device.read("/sys/kernel/nvpmodel_clk_cap/emc")) == 2133000000
    assert nvpmodel.main(["-m", "2"]) == nvpmodel.FAILED
    device.faults("{}\n")
    boot(device)
    assert 2 in powerconf.parse(device.read("/etc/nvpmodel.conf")).modes


def test_mode_without_effect_is_reported_and_not_in_force(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.faults("mode_without_effect: true\n")
    boot(device)
    assert nvpmodel.main(["-m", "0"]) == 0
    nvpmodel.main(["-q"])
    assert capsys.readouterr().out == "NV Power Mode: 15W\n0\n"
    assert int(device.read(GPU_LIMIT)) == 918000000
    assert int(device.read("/sys/kernel/nvpmodel_clk_cap/emc")) == 3199000000
    boot(device)
    assert int(device.read(GPU_LIMIT)) == 918000000


def test_limits_stay_where_they_were_when_the_fault_came(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    boot(device)
    assert nvpmodel.main(["-m", "0"]) == 0
    device.faults("mode_without_effect: true\n")
    assert nvpmodel.main(["-m", "2"]) == 0
    nvpmodel.main(["-q"])
    assert capsys.readouterr().out == "NV Power Mode: MAXN_SUPER\n2\n"
    assert int(device.read(GPU_LIMIT)) == 612000000
    assert int(device.read("/sys/kernel/nvpmodel_clk_cap/emc")) == 2133000000


STATUS_FILE = """Package: nvidia-l4t-core
Status: hold ok installed
Version: 36.4.3-20250107174145
Description: first

Package: nvidia-l4t-kernel
Status: install ok installed
Version: 5.15.148-tegra-36.4.3-20250107174145
Description: second

Package: nvidia-l4t-cuda
Status: install ok installed
Version: 36.4.3-20250107174145
Description: third

Package: other
Status: install ok installed
Version: 1.0
Description: fourth
"""


def test_other_release_is_that_of_packages_and_system(device: Device) -> None:
    device.write("/var/lib/dpkg/status", STATUS_FILE)
    device.faults('l4t_release: "36.4.7"\n')
    release.apply_faults()
    assert device.read("/etc/nv_tegra_release").startswith("# R36 (release), REVISION: 4.7, GCID: 42132812, ")
    wanted = STATUS_FILE.replace("36.4.3-20250107174145", "36.4.7-20250918154033")
    assert device.read("/var/lib/dpkg/status") == wanted


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("36.5.2", "# R36 (release), REVISION: 5.2, GCID: 46426093, BOARD: generic, EABI: aarch64, "),
        ("35.4.1", "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, "),
        ("39.2.1", "# R39 (release), REVISION: 2.1, GCID: 46758480, BOARD: generic, EABI: aarch64, "),
    ],
)
def test_other_lines_of_releases(device: Device, name: str, line: str) -> None:
    assert release.tegra_release(name).startswith(line)
    assert ("KERNEL_VARIANT: oot\n" in release.tegra_release(name)) is (name != "35.4.1")
    assert release.package_versions(name)["nvidia-l4t-kernel"].startswith(f"{release.RELEASES[name].kernel}-{name}-")


def test_jetpack_7_asks_for_a_reboot_also_for_the_mode_that_is_set(
    device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device.write("/etc/nv_tegra_release", release.tegra_release("39.2.1"))
    boot(device)
    answer(monkeypatch, "")
    assert nvpmodel.main(["-m", "1"]) == nvpmodel.FAILED
    assert "NVPM WARN: Reboot required for changing to this power mode: 1\n" in capsys.readouterr().out


def test_mixed_packages_under_the_stock_release(device: Device) -> None:
    device.write("/var/lib/dpkg/status", STATUS_FILE)
    device.faults("mixed_bsp: true\n")
    release.apply_faults()
    assert "REVISION: 4.3," in device.read("/etc/nv_tegra_release")
    assert re.findall(r"Version: (.*)", device.read("/var/lib/dpkg/status")) == [
        "36.4.3-20250107174145", "5.15.148-tegra-36.4.7-20250918154033", "36.4.7-20250918154033", "1.0",
    ]  # fmt: skip


def test_packages_that_were_upgraded_stay_so_without_a_fault(device: Device) -> None:
    device.write("/var/lib/dpkg/status", STATUS_FILE.replace("36.4.3-2025", "36.5.0-2026"))
    release.apply_faults()
    assert "36.5.0-2026" in device.read("/var/lib/dpkg/status")


def test_unknown_release_is_refused(device: Device) -> None:
    device.faults('l4t_release: "36.9.9"\n')
    with pytest.raises(SystemExit, match=r"knows 35\.4\.1, .* not 36\.9\.9"):
        release.apply_faults()


@pytest.mark.parametrize(
    ("fault", "name", "partition", "kind"),
    [("{}", "nvme0n1", "nvme0n1p1", None), ("root_on_sd: true", "mmcblk0", "mmcblk0p1", "SD")],
)
def test_root_leads_to_its_disk(device: Device, fault: str, name: str, partition: str, kind: str | None) -> None:
    device.faults(f"{fault}\n")
    for link in device.path("/sys/dev/block").iterdir():
        link.unlink()
    board.write_files()
    number = device.root.stat().st_dev
    found = device.path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    assert (found.name, found.parent.name) == (partition, name)
    assert (found / "partition").exists()
    assert device.path(f"/sys/block/{name}").resolve() == found.parent
    kinds = found.parent / "device/type"
    assert (kinds.read_text().strip() if kinds.exists() else None) == kind
    assert storage.command_line().startswith(f"root=/dev/{partition} ")
    assert f"TEGRA_BOOT_STORAGE {name}\n" in device.read("/etc/nv_boot_control.conf")


@pytest.mark.parametrize(("text", "folder"), [("{}", None), ("disk_full: true", "/opt"), ("disk_full: /srv", "/srv")])
def test_full_folder_is_the_one_that_is_named(device: Device, text: str, folder: str | None) -> None:
    device.faults(f"{text}\n")
    assert disk.full_folder() == folder
