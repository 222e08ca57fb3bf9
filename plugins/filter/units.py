"""Filter of the state of systemd units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ADMINISTRATORS = "/etc/systemd/system/"
"""Folder of masks. A unit with its own file there can't be masked."""


def is_off(unit: dict[str, str]) -> bool:
    """Return whether a unit is stopped, and masked, or disabled where it can't be masked."""
    if unit["ActiveState"] not in ("inactive", "failed"):
        return False
    in_the_way = unit["FragmentPath"].startswith(ADMINISTRATORS)
    return unit["UnitFileState"] == "masked" or (in_the_way and unit["UnitFileState"] in ("disabled", "static"))


def units_not_off(shown: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the units that exist and are not off: ``name``, and whether they are ``static``.

    Args:
        shown: What ``systemctl show`` prints of their LoadState, ActiveState, UnitFileState and FragmentPath.
        names: The units, in the same order.
    """
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    units = [{"name": name, **block} for name, block in zip(names, blocks, strict=True)]
    found = [unit for unit in units if unit["LoadState"] != "not-found" and not is_off(unit)]
    return [{"name": unit["name"], "static": unit["UnitFileState"] == "static"} for unit in found]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"units_not_off": units_not_off}
