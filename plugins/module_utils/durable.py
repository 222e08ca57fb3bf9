"""Writes to disk what must survive a power cut before anything relies on it."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Write a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(made: Path, place: Path) -> None:
    """Give a file, or a folder of files, its final name once its content is on the disk."""
    for path in [*(made.iterdir() if made.is_dir() else []), made]:
        sync(path)
    made.replace(place)
    sync(place.parent)
