"""Filters of lock files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?===| @ ).*\n(?:[ \t].*\n)*", re.MULTILINE)
"""A package of a lock, its hashes included; group 1 is its name."""


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


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"lock_without": lock_without, "lock_refused": lock_refused}
