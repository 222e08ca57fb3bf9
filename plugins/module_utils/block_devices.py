"""Which device holds a path, and its kind: pure functions over the kernel's texts and paths."""

from __future__ import annotations

import re
from dataclasses import dataclass

VIRTUAL = "virtual"
"""A file system without a local disk: an overlay, a memory file system, a network file system."""


@dataclass(frozen=True)
class Mount:
    """One line of ``/proc/self/mountinfo``.

    Attributes:
        number: ``major:minor`` of the file system's device.
        source: What is mounted, e.g. ``/dev/nvme0n1p1`` or ``overlay``.
    """

    number: str
    point: str
    kind: str
    source: str


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the mounts in their order; a later one at the same point covers an earlier one."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if separator and len(before) >= 5 and len(after) >= 2:
            mounts.append(Mount(before[2], _unescaped(before[4]), after[0], _unescaped(after[1])))
    return mounts


def mount_of(path: str, mounts: list[Mount]) -> Mount | None:
    """Return the mount that holds an absolute path without links, None if there is none."""
    found = None
    for mount in mounts:
        holds = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if holds and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def disk_of(folder: str) -> str:
    """Return the disk's folder for a partition's folder below ``/sys/devices``; a disk's own folder stays as it is.

    ``…/nvme/nvme0/nvme0n1/nvme0n1p1`` is a partition of ``…/nvme/nvme0/nvme0n1``.
    """
    parent, _, name = folder.rpartition("/")
    disk = parent.rpartition("/")[2]
    return parent if re.fullmatch(rf"{re.escape(disk)}p?\d+", name) else folder


def kind_of(disk: str, card: str = "") -> str:
    """Return a disk's kind: ``nvme``, ``sd``, ``emmc``, ``usb``, ``disk``, :data:`VIRTUAL` or ``unknown``.

    Args:
        disk: The disk's folder below ``/sys/devices``.
        card: For an ``mmcblk`` disk, what ``<disk>/device/type`` says: ``SD`` or ``MMC``.
    """
    name = disk.rpartition("/")[2]
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("mmcblk"):
        return {"SD": "sd", "MMC": "emmc"}.get(card.strip(), "unknown")
    if re.fullmatch(r"(s|v|xv|h)d[a-z]+", name):
        return "usb" if "/usb" in disk else "disk"
    return VIRTUAL if re.fullmatch(r"(loop|ram|zram)\d+", name) else "unknown"


def _unescaped(text: str) -> str:
    """Return a field with the kernel's octal escapes for spaces and the like decoded."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
