"""A model's folder on the control node: it appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible.module_utils.downloads import Refused
from ansible.module_utils.durable import sync
from ansible.module_utils.model_record import File, sums_text
from ansible.module_utils.package_index import SCRATCH

SUMS = "SHA256SUMS"


def is_complete(folder: Path, files: Mapping[str, File]) -> bool:
    """Whether the folder holds these files; each device verifies the content of what it gets."""
    sums = folder / SUMS
    if not files or not sums.is_file() or sums.read_text(encoding="utf-8") != sums_text(files):
        return False
    return all((folder / n).is_file() and (folder / n).stat().st_size == f.size for n, f in files.items())


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Give the folder, beside the model's, in which a download is gathered and from which a later run goes on.

    Raises:
        Refused: Another run is at it.
    """
    work = folder.with_name(f".{folder.name}.part")
    work.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(work, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Refused(f"Another run is already fetching {folder.name}.") from error
    try:
        for left in work.glob(f"{SCRATCH}*"):
            shutil.rmtree(left)
        yield work
    finally:
        with suppress(OSError):  # it holds something, or is the model's folder by now
            work.rmdir()
        os.close(descriptor)


def have(name: str, file: File, work: Path, folder: Path) -> bool:
    """Whether a file was gathered already, or is sound in a folder that is not; then it is taken from there."""
    for place in (work, folder):
        if file.is_at(place / name):
            if place == folder:
                (folder / SUMS).unlink(missing_ok=True)  # without it the folder is no model
            (place / name).replace(work / name)
            return True
    return False


def finish(work: Path, folder: Path, files: Mapping[str, File]) -> None:
    """Let the gathered files, and nothing else, become the model's folder."""
    for path in work.iterdir():
        if path.name not in files:
            path.unlink()
    (work / SUMS).write_text(sums_text(files), encoding="utf-8")
    for path in (*work.iterdir(), work):
        sync(path)
    if folder.exists():
        shutil.rmtree(folder)
    work.replace(folder)
    sync(folder.parent)
