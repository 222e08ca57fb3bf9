"""The wheelhouse: artefacts that are complete, and appear at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ansible.module_utils import durable  # type: ignore[attr-defined]
from ansible.module_utils.sums import sha256

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
INCOMING = ".incoming"
"""Folder of the wheelhouse for artefacts that are not complete yet."""


class NotWhole(ValueError):
    """An artefact does not match its checksums; the text is the cause."""


def read_sums(text: str) -> dict[str, str]:
    """Return file name → SHA-256 from ``sha256sum``'s format."""
    return {name: digest for digest, name in re.findall(r"^([0-9a-f]{64}) [ *](.+)$", text, re.MULTILINE)}


def write_sums(folder: Path) -> None:
    """Write the checksums of all files in a folder into it."""
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
        raise NotWhole(f"{folder} has {len(wheels)} wheels in its checksums, and must have one and {MANIFEST}")
    return {"path": str(folder / wheels[0]), "name": wheels[0], "sha256": sums[wheels[0]]}


def newest(folder: Path, platform: dict[str, str | None]) -> str:
    """Return the fingerprint of the artefact built last of those that fit a host; empty if none does.

    Args:
        folder: The artefacts of one recipe.
        platform: ``architecture``, ``python`` such as ``310``, ``cuda`` such as ``12.6.68`` or None.
    """
    fitting = []
    for path in folder.glob(f"*/{MANIFEST}"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if fits(manifest["builder"], platform):
            fitting.append((manifest["built_at"], path.parent.name))
    return max(fitting, default=("", ""))[1]


def fits(builder: dict[str, str | None], platform: dict[str, str | None]) -> bool:
    """Return whether an artefact built on a machine fits a host: its architecture, Python, and CUDA where used."""

    def toolkit(version: str | None) -> list[str]:
        return (version or "").split(".")[:2]

    return (
        builder["architecture"] == platform["architecture"]
        and (builder["python"] or "").startswith(f"cpython-{platform['python']}-")
        and (builder["cuda"] is None or toolkit(builder["cuda"]) == toolkit(platform["cuda"]))
    )


def publish(incoming: Path, target: Path) -> None:
    """Publish a complete artefact under its fingerprint by one rename, after writing it to disk."""
    write_sums(incoming)
    target.parent.mkdir(parents=True, exist_ok=True)
    durable.rename(incoming, target)
