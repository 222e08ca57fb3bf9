"""Filters of the role bundle: what is downloaded, and how big it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DEB = re.compile(r"^'\S+' (\S+) (\d+) ", re.MULTILINE)
"""A line of ``apt-get --print-uris``: URL, file name, bytes, digest."""


def bundle_debs(printed: str) -> list[dict[str, Any]]:
    """Return name and bytes of each file that apt would download."""
    return [{"name": name, "bytes": int(size)} for name, size in DEB.findall(printed)]


def bundle_heads(answers: Sequence[dict[str, Any]], urls: Sequence[str]) -> list[dict[str, Any]]:
    """Return name and bytes of the files at some URLs; null bytes where the answer to ``HEAD`` states no size."""
    told = [answer.get("content_length") if answer.get("status") == 200 else None for answer in answers]
    sizes = [int(size) if size else None for size in told]
    return [{"name": url.rpartition("/")[2], "bytes": size} for url, size in zip(urls, sizes, strict=True)]


def bundle_folder(name: str, parent: str) -> dict[str, Any]:
    """Return name and bytes of a folder; null for a missing one."""
    files = [path.stat().st_size for path in (Path(parent) / name).rglob("*") if path.is_file()]
    return {"name": name, "bytes": sum(files) if files else None}


def bundle_model(name: str, folders: list[str], known: dict[str, int]) -> dict[str, Any]:
    """Return name and bytes of a model: from the first folder that has it, else the known size."""
    found = [bundle_folder(name, folder) for folder in folders if (Path(folder) / name / "SHA256SUMS").is_file()]
    return found[0] if found else {"name": name, "bytes": known.get(name)}


def bundle_part(fetched: dict[str, Any], kind: str = "wheels of") -> dict[str, Any]:
    """Return a lock's part of the list."""
    return {"what": f"{kind} {fetched['__bundle_one']}", "files": fetched["files"]}


def bundle_list(parts: list[dict[str, Any]]) -> list[str]:
    """Return the readable list: each part with its files, and the total at the end.

    Args:
        parts: ``what`` it is, and its ``files``: ``name`` and ``bytes``, null where unknown.
    """
    lines = []
    for part in parts:
        if part["files"]:
            lines.append(f"{part['what']}: {len(part['files'])} files, {total(part['files'])}")
            lines += [f"  {megabytes(file['bytes'])}  {file['name']}" for file in part["files"]]
    return [*lines, f"in all: {total([file for part in parts for file in part['files']])}"]


def total(files: list[dict[str, Any]]) -> str:
    """Return the total size, and the number of files of unknown size."""
    known = [file["bytes"] for file in files if file["bytes"] is not None]
    unknown = len(files) - len(known)
    return f"{megabytes(sum(known)).strip()}{f' and {unknown} of unknown size' if unknown else ''}"


def megabytes(size: int | None) -> str:
    """Return a size in a column."""
    return f"{'unknown':>11}" if size is None else f"{size / 1e6:8.1f} MB"


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "bundle_debs": bundle_debs,
            "bundle_folder": bundle_folder,
            "bundle_heads": bundle_heads,
            "bundle_list": bundle_list,
            "bundle_model": bundle_model,
            "bundle_part": bundle_part,
        }
