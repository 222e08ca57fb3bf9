"""Filter of environments: what one is named after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

LAYOUT = 1
"""Another number where environments are made in another way from the same."""


def environment_id(recipe: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits of all that goes into an environment.

    Args:
        recipe: ``lock`` (what the package index gives, as text), ``uv`` (the lock of uv), ``platform`` (such as
            ``aarch64-cp310``), and ``wheels``, the artefacts of the wheelhouse, of which the SHA-256 count.
    """
    wheels = [wheel["sha256"] for wheel in recipe["wheels"]]
    whole = [LAYOUT, recipe["lock"], recipe["uv"], recipe["platform"], wheels]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"environment_id": environment_id}
