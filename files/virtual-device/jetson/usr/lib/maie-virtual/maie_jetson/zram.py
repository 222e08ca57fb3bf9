"""Double of nvzramconfig.sh: half of the memory as compressed swap, in one part for each core."""

from __future__ import annotations

import sys

from maie_jetson import storage
from maie_jetson.hardware import CPU_CORES
from maie_virtual import meminfo, swap
from maie_virtual.paths import device

PRIORITY = 5


def size_kib(total_kib: int) -> int:
    """Size of one part, in whole pages, without the page of its header."""
    return total_kib // 2 // CPU_CORES // 4 * 4 - 4


def main() -> None:
    """Switch all parts on."""
    rows = (line.split() for line in device("/proc/meminfo").read_text().splitlines())
    size = size_kib(next(int(row[1]) for row in rows if row[0] == "MemTotal:"))
    areas = swap.active()
    for number in range(CPU_CORES):
        folder, path = device(f"/sys/block/zram{number}"), f"/dev/zram{number}"
        storage.write(folder / "disksize", str((size + 4) * 1024))
        storage.write(folder / "comp_algorithm", "lzo [lzo-rle] lz4 lz4hc 842 zstd")
        storage.write(folder / "mm_stat", "4096 74 12288 0 12288 0 0 0 0")
        if path not in [area.path for area in areas]:
            areas.append(swap.Swap(path, size, PRIORITY, "partition"))
    swap.store(areas)
    meminfo.refresh()


if __name__ == "__main__":
    sys.exit(main())
