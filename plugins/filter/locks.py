"""Filters of lock files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?===| @ ).*\n(?:[ \t].*\n)*", re.MULTILINE)
"""A package of a lock, its hashes included; group 1 is its name."""


BY_URL = re.compile(r"^(\S+) @ \S+/[^-/\s]+-([^-/\s]+)-[^/\s]+\.whl", re.MULTILINE)
"""A package that a lock names by the address of its wheel; group 1 is its name, group 2 its version."""


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_without(lock: str, names: Iterable[str]) -> str:
    """Return a lock without the packages that come from elsewhere."""
    gone = {normalised(name) for name in names}
    return ENTRY.sub(lambda entry: "" if normalised(entry[1]) in gone else entry[0], lock)


def lock_refused(lock: str, patterns: Iterable[str]) -> list[str]:
    """Return the packages of a lock whose whole name one of the regular expressions describes."""
    named = [normalised(entry[1]) for entry in ENTRY.finditer(lock)]
    return [name for name in named if any(re.fullmatch(pattern, name) for pattern in patterns)]


def lock_by_version(lock: str) -> str:
    """Return a lock that names packages by their versions only, for pip that finds all files in a folder.

    An address in it would be asked for, whatever the folder has. The hashes stay.
    """
    return BY_URL.sub(lambda entry: f"{entry[1]}=={unquote(entry[2])}", lock)


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"lock_without": lock_without, "lock_refused": lock_refused, "lock_by_version": lock_by_version}
