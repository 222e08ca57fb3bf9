"""Filters of API keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What the service accepts as the id of a key."""

FEWEST_LETTERS = 24


def api_key_faults(keys: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a sentence for each fault of API keys; none of them reveals a key or an id.

    A key that YAML reads as a number counts as its digits.
    """
    faults = [] if keys else ["There must be at least one."]
    seen: set[str] = set()
    for number, key in enumerate(keys, 1):
        identity = str(key["id"])
        if not IDENTITY.fullmatch(identity):
            faults.append(f"The id of number {number} must be 1 to 64 letters, digits, or any of . _ -")
        if identity in seen:
            faults.append(f"The id of number {number} is already used by an earlier one.")
        if len(str(key["key"])) < FEWEST_LETTERS:
            faults.append(f"Number {number} must have {FEWEST_LETTERS} characters or more.")
        seen.add(identity)
    return faults


def api_key_digests(keys: Sequence[Mapping[str, object]]) -> str:
    """Return a line for each API key: its id and the SHA-256 of the key, in hexadecimal."""
    return "".join(f"{key['id']}:{hashlib.sha256(str(key['key']).encode()).hexdigest()}\n" for key in keys)


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"api_key_faults": api_key_faults, "api_key_digests": api_key_digests}
