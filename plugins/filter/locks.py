"""Filters of lock files, and of the archives of their wheels."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?===| @ ).*\n(?:[ \t].*\n)*", re.MULTILINE)
"""A package in a lock, with its hashes; group 1 is its name."""


BY_URL = re.compile(r"^(\S+) @ \S+/[^-/\s]+-([^-/\s]+)-[^/\s]+\.whl", re.MULTILINE)
"""A package that a lock names by its wheel's URL; group 1 is its name, group 2 its version."""


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_without(lock: str, names: Iterable[str]) -> str:
    """Return a lock without the named packages, which come from elsewhere."""
    gone = {normalised(name) for name in names}
    return ENTRY.sub(lambda entry: "" if normalised(entry[1]) in gone else entry[0], lock)


def lock_refused(lock: str, patterns: Iterable[str]) -> list[str]:
    """Return a lock's packages whose whole name matches one of the regular expressions."""
    named = [normalised(entry[1]) for entry in ENTRY.finditer(lock)]
    return [name for name in named if any(re.fullmatch(pattern, name) for pattern in patterns)]


def lock_by_version(lock: str) -> str:
    """Return a lock that names packages by version only, for pip to find all files in a folder.

    pip would download a URL even if the folder had the file. The hashes stay.
    """
    return BY_URL.sub(lambda entry: f"{entry[1]}=={unquote(entry[2])}", lock)


def lock_archive(lock: str, name: str) -> str:
    """Return the file name of the archive with a lock's wheels: ``<name>-<12 hexadecimal digits of its hash>.tar``.

    Args:
        lock: Its content.
        name: What it is for, such as ``aarch64-cp310-vllm``, or ``uv-aarch64-cp310`` for the lock of uv.
    """
    return f"{name}-{hashlib.sha256(lock.encode()).hexdigest()[:12]}.tar"


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "lock_without": lock_without,
            "lock_refused": lock_refused,
            "lock_by_version": lock_by_version,
            "lock_archive": lock_archive,
        }
