"""A model's folder on the control node, which appears complete or not at all."""

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
    """Whether the folder holds these files; each device verifies the content that it gets."""
    sums = folder / SUMS
    if not files or not sums.is_file() or sums.read_text(encoding="utf-8") != sums_text(files):
        return False
    return all((folder / n).is_file() and (folder / n).stat().st_size == f.size for n, f in files.items())


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Provide the folder beside the model's that collects a download and from which a later run resumes.

    Raises:
        Refused: Another run is using it.
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
        for left in list(work.rglob(f"{SCRATCH}*")):
            shutil.rmtree(left)
        yield work
    finally:
        with suppress(OSError):  # it is not empty, or has become the model's folder
            work.rmdir()
        os.close(descriptor)


def have(name: str, file: File, work: Path, folder: Path) -> bool:
    """Whether a file was collected already, or is valid in an incomplete model folder, from which it is then taken."""
    for place in (work, folder):
        if file.is_at(place / name):
            if place == folder:
                (folder / SUMS).unlink(missing_ok=True)  # without it the folder is not a model
            (place / name).replace(work / name)
            return True
    return False


def finish(work: Path, folder: Path, files: Mapping[str, File]) -> None:
    """Make the collected files, and nothing else, the model's folder."""
    for path in work.iterdir():
        if path.is_dir():  # with what the files were made of
            shutil.rmtree(path)
        elif path.name not in files:
            path.unlink()
    (work / SUMS).write_text(sums_text(files), encoding="utf-8")
    for path in (*work.iterdir(), work):
        sync(path)
    if folder.exists():
        shutil.rmtree(folder)
    work.replace(folder)
    sync(folder.parent)
