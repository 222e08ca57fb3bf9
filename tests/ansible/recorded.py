"""The recorded systems: each folder below ``recorded/`` is a root, with its SOURCE and its facts as expected."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "recorded"
SYSTEMS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def text(system: str, path: str) -> str:
    """Return a recorded file's text."""
    return (FOLDER / system / path.lstrip("/")).read_text()


def copy(system: str, to: Path) -> Path:
    """Copy a recorded system to a folder, to be changed there."""
    shutil.copytree(FOLDER / system, to, symlinks=True)
    return to
