"""Which module's nvpmodel configuration a board has: its own module's, or another one's.

All files are in ``/etc/nvpmodel``, and ``/etc/nvpmodel.conf`` is a link to one. Common instructions link it to another
module's file, or copy that over it, which overwrites the file behind the link. So the modes decide, not the name: no
two modules have the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible.module_utils.nvpmodel_conf import PowerModels  # type: ignore[import-not-found]

FILES = "/etc/nvpmodel/nvpmodel_*.conf"
OWN = {
    "p3767-0000": ("p3767_0000",),
    "p3767-0001": ("p3767_0001",),
    "p3767-0002": ("p3767_0000",),
    "p3767-0003": ("p3767_0003", "p3767_0005"),
    "p3767-0004": ("p3767_0004",),
    "p3767-0005": ("p3767_0003", "p3767_0005"),
}
"""The module part of the names of its files; unknown for other modules."""


def own_parts(modules: Iterable[str | None]) -> tuple[str, ...]:
    """Return the module parts of the names of these modules' files, each once."""
    return tuple(dict.fromkeys(part for module in modules for part in OWN.get(module or "", ())))


def problem(
    own: tuple[str, ...], is_super: bool | None, conf: PowerModels, files: Mapping[str, PowerModels]
) -> str | None:
    """Return what is wrong with ``/etc/nvpmodel.conf``, as a clause; None also where that is unknown.

    Args:
        own: The board's :func:`own_parts`.
        is_super: Whether the board was flashed with the super configuration.
        conf: The content of ``/etc/nvpmodel.conf``.
        files: The files of :data:`FILES` by name.
    """
    if not own or not conf.models:
        return None
    ours, theirs = {}, {}
    for name, models in files.items():
        module = re.match(r"nvpmodel_(?:t\d+_)?(p\d{4}(?:_\d{4})?)", name)
        if module is not None:
            (ours if module.group(1) in own else theirs)[name] = models
    found = max(theirs, key=lambda name: _shared(conf, theirs[name]), default="")
    shared = _shared(conf, theirs[found]) if found else 0
    if shared == 0 or shared < max((_shared(conf, models) for models in ours.values()), default=0):
        cores = _cores(conf)
        if not ours or cores <= max(map(_cores, ours.values())):
            return None
        found = f"one for {cores} cores"
    expected = f"nvpmodel_{own[0]}{'_super' if is_super else ''}.conf"
    twins = "".join(f" or its -{part[-4:]} twin" for part in own[1:])
    return f"/etc/nvpmodel.conf is not the file of this module (expected {expected}{twins}), but {found}"


def _shared(conf: PowerModels, other: PowerModels) -> int:
    """Return how many modes two configurations have in common."""
    return sum(model in other.models for model in conf.models)


def _cores(conf: PowerModels) -> int:
    """Return how many cores a configuration has."""
    return len({argument for model in conf.models for name, argument in model.settings if name == "CPU_ONLINE"})
