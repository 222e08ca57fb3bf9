"""A service whose speech engine and language model's server take turns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import path_units
from support.stack import Stack


class Units:
    """The double of systemd's part as a process of its own; see :mod:`support.path_units`."""

    def __init__(self, folder: Path, port: int, start_seconds: float) -> None:
        self.folder = folder
        command = [sys.executable, "-m", path_units.__name__]
        self.process = subprocess.Popen(
            [*command, str(folder), str(port), str(start_seconds)], cwd=Path(__file__).parents[1]
        )

    @property
    def events(self) -> list[str]:
        """What happened so far."""
        path = self.folder / "events"
        return path.read_text().split() if path.exists() else []


Swapping = tuple[Stack, Units]
