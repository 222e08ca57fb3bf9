"""The fault `disk_full`: a folder whose file system has no block left."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

from maie_virtual.faults import fault
from maie_virtual.paths import runtime

DEFAULT = "/opt"
ROOM = 1024 * 1024


def fill(folder: Path) -> None:
    """Write a file into a folder until its file system is full."""
    with (folder / ".full").open("wb", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def used_bytes(folder: Path) -> int:
    """What a copy of a folder takes at most: whole pages, and one for each entry."""
    entries = [path.lstat().st_size for path in folder.rglob("*")]
    return sum(size // 4096 * 4096 + 8192 for size in entries)


def full_folder() -> str | None:
    """The folder that the fault names; /opt when it is only switched on."""
    wanted = fault("disk_full")
    return DEFAULT if wanted is True else wanted


def apply_fault() -> None:
    """Cover the folder with a small file system that holds a copy of its content and nothing more."""
    wanted = full_folder()
    if not wanted:
        return
    folder, small = Path(wanted), runtime("full")
    folder.mkdir(parents=True, exist_ok=True)
    small.mkdir()
    options = f"mode=0755,size={used_bytes(folder) + ROOM}"
    subprocess.run(("mount", "-t", "tmpfs", "-o", options, "full", str(small)), check=True)
    subprocess.run(("cp", "--archive", f"{folder}/.", str(small)), check=True)
    fill(small)
    subprocess.run(("mount", "--bind", str(small), str(folder)), check=True)
