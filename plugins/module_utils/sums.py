"""Digests that identify a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE = 1 << 20


def sha256(path: Path) -> str:
    """Return a file's SHA-256, reading it in pieces."""
    return _digest(path, hashlib.sha256())


def git_id(path: Path) -> str:
    """Return a file's Git object id, the SHA-1 of its type, size and content."""
    return _digest(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False))


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
