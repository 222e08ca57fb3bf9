"""Filter of preflight: variable files that no host of the inventory reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

GROUPS = ("all", "builders", "flashers", "jetson", "reference", "ungrouped", "virtual", "x86")
"""Groups that the project's playbooks and group_vars use, whether or not the inventory has a host in them."""

READ = ("", ".json", ".yaml", ".yml")
"""File name endings that Ansible reads; it reads folders of any name."""


def unread_vars(sources: Iterable[str], groups: Mapping[str, Sequence[str]], project: str) -> list[str]:
    """Return the files and folders of ``group_vars`` and ``host_vars`` that belong to no group or host.

    Each comes with the name that was probably meant: ``group_vars/control_plane.yml (there is control-plane)``.

    Args:
        sources: The inventories, as Ansible's ``ansible_inventory_sources``.
        groups: Ansible's variable ``groups``.
        project: The project's own folder, which has a ``group_vars`` too.
    """
    folders = [path if path.is_dir() else path.parent for path in map(Path, sources) if path.exists()]
    known = {"group_vars": {*GROUPS, *groups}, "host_vars": {"localhost", *groups["all"]}}
    found = []
    for folder in dict.fromkeys([*folders, Path(project)]):
        for kind, names in known.items():
            for path, name in _entries(folder / kind):
                if name not in names:
                    meant = [other for other in sorted(names) if _plain(other) == _plain(name)]
                    found.append(f"{kind}/{path.name}" + (f" (there is {meant[0]})" if meant else ""))
    return found


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each path that Ansible would read in a folder, and its group or host."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir() and not path.name.startswith("."):
            yield path, path.name
        elif path.suffix in READ and not path.name.startswith("."):
            yield path, path.stem


def _plain(name: str) -> str:
    """Return a name without what is easily mistyped: dashes, underscores, capitals, and a host's domain."""
    return name.partition(".")[0].replace("-", "_").lower()


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"unread_vars": unread_vars}
