"""The disk that the board boots from: what the kernel shows below /sys and on its command line.

The container's root is an overlay without a disk. Its device number leads to the disk's partition here, as the number
of a file system on a disk does on a board.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from maie_virtual.faults import fault
from maie_virtual.paths import device

PLATFORM = "/sys/devices/platform/bus@0"


@dataclass(frozen=True)
class Disk:
    """A disk with one partition; `folder` is the kernel's own for the disk, `major` that of its device numbers."""

    name: str
    partition: str
    major: int
    sectors: int
    folder: str
    kind: str | None = None


NVME = Disk(
    "nvme0n1", "nvme0n1p1", 259, 976773168,
    f"{PLATFORM}/14160000.pcie/pci0004:00/0004:00:00.0/0004:01:00.0/nvme/nvme0/nvme0n1",
)  # fmt: skip
SD = Disk("mmcblk0", "mmcblk0p1", 179, 124735488, f"{PLATFORM}/3400000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0", "SD")


def root_disk() -> Disk:
    """The disk that holds the root file system."""
    return SD if fault("root_on_sd") else NVME


def write(file: Path, text: str) -> None:
    """A file as the kernel shows it, with its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def link(name: str, folder: Path) -> None:
    """A relative link to a folder of the kernel."""
    path = device(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(os.path.relpath(folder, path.parent))


def link_device_of(path: str) -> None:
    """Let the device number of the file system at a path lead to the partition."""
    number = device(path).stat().st_dev
    disk = root_disk()
    link(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}", device(f"{disk.folder}/{disk.partition}"))


def write_files() -> None:
    """Fill the folders."""
    disk = root_disk()
    whole, part = device(disk.folder), device(f"{disk.folder}/{disk.partition}")
    write(whole / "size", str(disk.sectors))
    write(whole / "removable", "0")
    write(whole / "queue/rotational", "0")
    if disk.kind:
        write(device(str(Path(disk.folder).parents[1] / "type")), disk.kind)
        (whole / "device").unlink(missing_ok=True)
        (whole / "device").symlink_to("../..")
    write(part / "partition", "1")
    write(part / "size", str(disk.sectors - 4096))
    for minor, folder in enumerate((whole, part)):
        write(folder / "dev", f"{disk.major}:{minor}")
        link(f"/sys/class/block/{folder.name}", folder)
        link(f"/sys/dev/block/{disk.major}:{minor}", folder)
    link(f"/sys/block/{disk.name}", whole)
    link_device_of("/")


def command_line() -> str:
    """/proc/cmdline as the boot loader of JetPack 6 writes it."""
    return (
        f"root=/dev/{root_disk().partition} rw rootwait rootfstype=ext4 mminit_loglevel=4 console=ttyTCU0,115200 "
        "firmware_class.path=/etc/firmware fbcon=map:0 nospectre_bhb video=efifb:off console=tty0\n"
    )
