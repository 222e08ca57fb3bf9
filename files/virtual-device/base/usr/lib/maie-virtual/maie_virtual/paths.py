"""Where the doubles keep their files, and how they find those of the device."""

from __future__ import annotations

import os
from pathlib import Path


def device(path: str) -> Path:
    """A path of the device; tests move the device's root with MAIE_VIRTUAL_ROOT."""
    return Path(os.environ.get("MAIE_VIRTUAL_ROOT", "/")) / path.lstrip("/")


def runtime(name: str) -> Path:
    """A file of the doubles that lives until the next boot."""
    return device("/run/maie-virtual") / name
