"""The table of active swap areas, bound over /proc/swaps; it lasts until the next boot, as the real one does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maie_virtual.paths import runtime

HEADER = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@dataclass(frozen=True)
class Swap:
    """One active swap area; size in KiB."""

    path: str
    size_kib: int
    priority: int
    kind: str = "file"


def table() -> Path:
    """The file that is bound over /proc/swaps."""
    return runtime("swaps")


def parse_table(text: str) -> list[Swap]:
    """The areas of a /proc/swaps text."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [Swap(path, int(size), int(priority), kind) for path, kind, size, _, priority in rows]


def tab(area: Swap) -> str:
    """The second tab behind a short kind."""
    return "\t" if len(area.kind) < 8 else ""


def render_table(areas: list[Swap]) -> str:
    """The areas as /proc/swaps shows them."""
    rows = [f"{area.path:<39} {area.kind}\t{tab(area)}{area.size_kib}\t\t0\t\t{area.priority}\n" for area in areas]
    return HEADER + "".join(rows)


def active() -> list[Swap]:
    """The areas in use."""
    return parse_table(table().read_text())


def store(areas: list[Swap]) -> None:
    """Replace the table's content, in place because it is bound."""
    table().write_text(render_table(areas))


def clear() -> None:
    """The state after a boot: no swap yet."""
    store([])


def fstab_areas(text: str) -> list[tuple[str, int | None]]:
    """(path, priority) of each swap entry of an fstab that is not `noauto`."""
    entries = []
    for line in text.splitlines():
        fields = line.split("#")[0].split()
        if len(fields) < 4 or fields[2] != "swap" or "noauto" in fields[3].split(","):
            continue
        priority = next((int(word[4:]) for word in fields[3].split(",") if word.startswith("pri=")), None)
        entries.append((fields[0], priority))
    return entries
