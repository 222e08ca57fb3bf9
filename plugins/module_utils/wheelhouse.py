"""The wheelhouse: artefacts that are whole, and appear at once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ansible.module_utils import durable  # type: ignore[attr-defined]

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
INCOMING = ".incoming"
"""Folder of the wheelhouse in which artefacts wait until they are complete."""

PIECE = 1 << 20


class NotWhole(ValueError):
    """An artefact is not what its sums say; the text is the cause."""


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_sums(text: str) -> dict[str, str]:
    """Return file name → SHA-256 as ``sha256sum`` writes them."""
    return {name: digest for digest, name in re.findall(r"^([0-9a-f]{64}) [ *](.+)$", text, re.MULTILINE)}


def write_sums(folder: Path) -> None:
    """Write the sums of all files of a folder into it."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    (folder / SUMS).write_text("".join(f"{sha256(folder / name)}  {name}\n" for name in names))


def inspect(folder: Path) -> dict[str, str]:
    """Return path, name and SHA-256 of the wheel of an artefact after verifying every file of it.

    Raises:
        NotWhole: A file is missing, has changed, or there is not exactly one wheel.
    """
    if not (folder / SUMS).is_file():
        raise NotWhole(f"{folder / SUMS} is missing")
    sums = read_sums((folder / SUMS).read_text())
    for name, digest in sums.items():
        if not (folder / name).is_file():
            raise NotWhole(f"{folder / name} is missing")
        if sha256(folder / name) != digest:
            raise NotWhole(f"{folder / name} is not the file that was published: its SHA-256 has changed")
    wheels = [name for name in sums if name.endswith(".whl")]
    if len(wheels) != 1 or MANIFEST not in sums:
        raise NotWhole(f"{folder} has {len(wheels)} wheels in its sums, and must have one and {MANIFEST}")
    return {"path": str(folder / wheels[0]), "name": wheels[0], "sha256": sums[wheels[0]]}


def publish(incoming: Path, target: Path) -> None:
    """Make a complete artefact appear under its fingerprint by one rename, on the disk before it is seen."""
    write_sums(incoming)
    for path in [*incoming.iterdir(), incoming]:
        durable.sync(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming.rename(target)
    durable.sync(target.parent)
