"""Filter of environments: their ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

LAYOUT = 1
"""Change this number when the same inputs make a different environment."""


def environment_id(recipe: Mapping[str, Any]) -> str:
    """Return an environment's id: 12 hexadecimal digits of a hash of its inputs.

    Args:
        recipe: ``lock`` (the packages from the package index, as text), ``uv`` (the lock of uv), ``platform`` (such as
            ``aarch64-cp310``), and ``wheels``, the artefacts of the wheelhouse, which count by SHA-256.
    """
    wheels = [wheel["sha256"] for wheel in recipe["wheels"]]
    whole = [LAYOUT, recipe["lock"], recipe["uv"], recipe["platform"], wheels]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"environment_id": environment_id}
