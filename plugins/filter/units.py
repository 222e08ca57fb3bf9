"""Filters of the state of systemd units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

ADMINISTRATORS = "/etc/systemd/system/"
"""Folder of masks. A unit with its own file there can't be masked."""

STOPPED = ("inactive", "failed")


def unit_states(shown: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return by unit its properties, and whether it is ``running``.

    Args:
        shown: What ``systemctl show`` prints of their LoadState, ActiveState, UnitFileState and FragmentPath.
        names: The units, in the same order.
    """
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    return {
        name: {**block, "running": block["ActiveState"] not in STOPPED}
        for name, block in zip(names, blocks, strict=True)
    }


def units_not_off(names: Sequence[str], states: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the units that exist and are not off: stopped, and masked, or disabled where they can't be masked."""
    return [name for name in names if states[name]["LoadState"] != "not-found" and not is_off(states[name])]


def is_off(unit: Mapping[str, Any]) -> bool:
    """Return whether a unit is stopped and stays so."""
    in_the_way = unit["FragmentPath"].startswith(ADMINISTRATORS)
    stays = unit["UnitFileState"] == "masked" or (in_the_way and unit["UnitFileState"] in ("disabled", "static"))
    return stays and not unit["running"]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"unit_states": unit_states, "units_not_off": units_not_off}
