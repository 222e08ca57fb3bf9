"""The sums by which a file is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE = 1 << 20


def sha256(path: Path) -> str:
    """Return a file's SHA-256; the file is read piece by piece."""
    return _digest(path, hashlib.sha256())


def git_id(path: Path) -> str:
    """Return a file's object id in Git, the SHA-1 of its kind, its size and its content."""
    return _digest(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False))


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
