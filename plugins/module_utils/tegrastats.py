"""Parses a line of tegrastats, in every format from JetPack 4 to 7.

JetPack 6 shows clocks of GPU and memory to root only, JetPack 7 adds the maximum to each temperature and rail, JetPack
5 has no rails on some boards, and swap is missing where there is none. Everything else in a line is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNIT_BYTES = {"kB": 1024, "MB": 1024**2}
OFF_CELSIUS = -256
"""What JetPack 5 prints as the temperature of a part that is powered off."""


@dataclass(frozen=True)
class Load:
    """How busy a core, the GPU or the memory is; None for what the line does not say.

    Attributes:
        mhz: The clock; for a GPU with several clusters, one each.
    """

    percent: int | None
    mhz: tuple[int, ...]


@dataclass(frozen=True)
class Stats:
    """One line.

    Attributes:
        largest_free_blocks: How many free memory blocks of the largest size there are.
        largest_free_block_bytes: That size. A large GPU allocation fails where all blocks are small, however much
            memory is free.
        swap_used_bytes: None where there is no swap.
        cores: None for each core that is off.
        gpu: None where the line lacks it.
        memory: Like ``gpu``; for root only.
        celsius: Temperatures by lower-case name, without parts that are off.
        milliwatts: The present draw of each rail, by name.
    """

    used_bytes: int
    total_bytes: int
    largest_free_blocks: int
    largest_free_block_bytes: int
    swap_used_bytes: int | None
    cores: tuple[Load | None, ...]
    gpu: Load | None
    memory: Load | None
    celsius: dict[str, float]
    milliwatts: dict[str, int]


def parse(line: str) -> Stats | None:
    """Return a parsed line, None for a line that is not tegrastats'."""
    memory = re.search(r"\bRAM (\d+)/(\d+)(kB|MB) \(lfb (\d+)x(\d+)(kB|MB)\)", line)
    if memory is None:
        return None
    used, total, unit, blocks, size, size_unit = memory.groups()
    swap = re.search(r"\bSWAP (\d+)/\d+(kB|MB)", line)
    cores = re.search(r"\bCPU \[([^]]*)\]", line)
    temperatures = re.findall(r"\b([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C", line)
    return Stats(
        used_bytes=int(used) * UNIT_BYTES[unit],
        total_bytes=int(total) * UNIT_BYTES[unit],
        largest_free_blocks=int(blocks),
        largest_free_block_bytes=int(size) * UNIT_BYTES[size_unit],
        swap_used_bytes=int(swap.group(1)) * UNIT_BYTES[swap.group(2)] if swap else None,
        cores=tuple(_load(core) for core in cores.group(1).split(",")) if cores else (),
        gpu=_named_load("GR3D_FREQ", line),
        memory=_named_load("EMC_FREQ", line),
        celsius={name.lower(): float(degrees) for name, degrees in temperatures if float(degrees) != OFF_CELSIUS},
        milliwatts={name: int(now) for name, now in re.findall(r"\b([A-Z]\w+) (\d+)(?:mW)?/\d+(?:mW)?(?= |/|$)", line)},
    )


def _load(text: str) -> Load | None:
    """Return ``7%@729``, ``12%@[306,305]``, ``@[314]`` or ``0%`` as a load; None for ``off`` and anything else."""
    found = re.fullmatch(r"(?:(\d+)%)?(?:@(\d+)|@\[([\d, ]+)\])?", text.strip())
    if found is None or not text.strip():
        return None
    percent, clock, clocks = found.groups()
    return Load(int(percent) if percent else None, tuple(int(mhz) for mhz in (clock or clocks or "").split(",") if mhz))


def _named_load(name: str, line: str) -> Load | None:
    """Return the load that follows a name."""
    found = re.search(rf"\b{name} (\S*\[[\d, ]*\]|\S+)", line)
    return _load(found.group(1)) if found else None
