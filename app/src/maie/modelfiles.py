"""What a model's folder says of itself."""

from __future__ import annotations

import re
from pathlib import Path


def model_name(folder: Path) -> str:
    """Return the model's name: the folder's, or its parent's where the folder is named by a digest (12 hex digits)."""
    folder = folder.resolve()
    return folder.parent.name if re.fullmatch(r"[0-9a-f]{12}", folder.name) else folder.name


def model_sha256(folder: Path) -> str | None:
    """Return the SHA-256 of the model's weights as its ``SHA256SUMS`` says, or None where there is no such file."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        return None
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*").removeprefix("./") == "model.bin":
            return digest
    return None
