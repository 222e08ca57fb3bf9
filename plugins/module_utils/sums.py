"""The sum by which a file is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE = 1 << 20


def sha256(path: Path) -> str:
    """Return a file's SHA-256; the file is read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
