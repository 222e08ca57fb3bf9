"""The doubles of swap and of /proc/meminfo."""

from __future__ import annotations

import mmap

import pytest
from maie_jetson import zram
from maie_virtual import meminfo, swap
from maie_virtual.swap_programs import main_swapoff, main_swapon
from virtual_device_files import Device

MIB = 1024 * 1024


def swap_file(device: Device, name: str, mib: int, mode: int = 0o600) -> None:
    """A file as mkswap leaves it."""
    page = bytes(mmap.PAGESIZE - len(b"SWAPSPACE2")) + b"SWAPSPACE2"
    path = device.path(name)
    path.write_bytes(page + bytes(mib * MIB - mmap.PAGESIZE))
    path.chmod(mode)


def memory(device: Device) -> dict[str, int]:
    rows = (line.split() for line in device.read("/run/maie-virtual/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows}


def test_swap_shows_up_everywhere_and_goes_again(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    swap_file(device, "/swapfile", 4)
    assert main_swapon(["/swapfile"]) == 0
    size = 4096 - mmap.PAGESIZE // 1024
    assert device.read("/run/maie-virtual/swaps").splitlines()[1].split() == ["/swapfile", "file", str(size), "0", "-2"]
    assert memory(device)["SwapTotal"] == size
    assert main_swapon(["--show=NAME,SIZE", "--noheadings", "--bytes"]) == 0
    assert capsys.readouterr().out == f"/swapfile {size * 1024}\n"
    assert main_swapoff(["/swapfile"]) == 0
    assert swap.active() == []
    assert memory(device)["SwapTotal"] == 0


def test_file_without_swap_header_is_refused(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.path("/swapfile").write_bytes(bytes(MIB))
    assert main_swapon(["/swapfile"]) == 255
    assert "read swap header failed" in capsys.readouterr().err
    assert swap.active() == []


def test_swap_can_not_be_switched_on_twice(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    swap_file(device, "/swapfile", 1, mode=0o644)
    assert main_swapon(["/swapfile"]) == 0
    assert "insecure permissions 0644" in capsys.readouterr().err
    assert main_swapon(["/swapfile"]) == 255
    assert "Device or resource busy" in capsys.readouterr().err
    assert len(swap.active()) == 1


def test_all_takes_fstab_and_skips_what_is_missing(device: Device) -> None:
    swap_file(device, "/a", 1)
    device.write(
        "/etc/fstab", "/a none swap sw,pri=5 0 0\n/b none swap sw 0 0\n/c none swap noauto 0 0\n/d / ext4 x 0 0\n"
    )
    assert main_swapon(["--all"]) == 255
    assert main_swapon(["--all", "--ifexists"]) == 0
    assert [(area.path, area.priority) for area in swap.active()] == [("/a", 5)]


def test_zram_is_half_of_the_memory_in_six_parts(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.write("/proc/meminfo", "MemTotal:        7802880 kB\n")
    zram.main()
    zram.main()
    rows = [line.split() for line in device.read("/run/maie-virtual/swaps").splitlines()[1:]]
    assert rows == [[f"/dev/zram{number}", "partition", "650236", "0", "5"] for number in range(6)]
    assert device.read("/sys/block/zram5/disksize") == f"{650240 * 1024}\n"
    assert memory(device)["SwapTotal"] == 6 * 650236
    swap_file(device, "/swapfile", 1)
    assert main_swapon(["/swapfile"]) == 0
    assert main_swapoff([row[0] for row in rows]) == 0
    capsys.readouterr()
    assert main_swapon(["--show=NAME,TYPE,PRIO", "--noheadings"]) == 0
    assert capsys.readouterr().out == "/swapfile file -2\n"


def test_only_root_changes_swap(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    swap_file(device, "/swapfile", 1)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main_swapon(["/swapfile"]) == 255
    assert swap.active() == []


@pytest.mark.parametrize("version", [1, 2])
def test_memory_is_that_of_the_container(device: Device, version: int) -> None:
    limit, used, cache = 8_000_000 * 1024, 3_000_000 * 1024, 1_000_000 * 1024
    if version == 1:
        device.write("/cg/memory.limit_in_bytes", f"{limit}\n")
        device.write("/cg/memory.usage_in_bytes", f"{used}\n")
        device.write("/cg/memory.stat", f"cache 1\ntotal_inactive_file {cache}\n")
    else:
        device.write("/cg/memory.max", f"{limit}\n")
        device.write("/cg/memory.current", f"{used}\n")
        device.write("/cg/memory.stat", f"anon 1\ninactive_file {cache}\n")
    device.write("/run/maie-virtual/cgroup", str(device.path("/cg")))
    meminfo.refresh()
    shown = memory(device)
    assert shown["MemTotal"] == 8_000_000
    assert shown["MemAvailable"] == 6_000_000
    assert shown["Hugepagesize"] == 2048


def test_memory_without_a_limit_is_that_of_the_machine(device: Device) -> None:
    device.write("/cg/memory.max", "max\n")
    device.write("/cg/memory.current", "0\n")
    device.write("/cg/memory.stat", "inactive_file 0\n")
    device.write("/run/maie-virtual/cgroup", str(device.path("/cg")))
    meminfo.refresh()
    assert memory(device)["MemTotal"] == 16_000_000


def test_cgroup_of_the_memory_controller_is_remembered(device: Device) -> None:
    assert device.read("/run/maie-virtual/cgroup") == "/sys/fs/cgroup/memory/docker/abc"
    device.write("/proc/self/cgroup", "0::/system.slice/docker-abc.scope\n")
    meminfo.remember_cgroup()
    assert device.read("/run/maie-virtual/cgroup") == "/sys/fs/cgroup/system.slice/docker-abc.scope"
