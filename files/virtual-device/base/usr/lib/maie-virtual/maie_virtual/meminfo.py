"""The double of /proc/meminfo: the container's memory limit and use, and the swap of the swap doubles."""

from __future__ import annotations

import time
from pathlib import Path

from maie_virtual import swap
from maie_virtual.paths import device, runtime

REFRESH_SECONDS = 5


def double() -> Path:
    """The file that is bound over /proc/meminfo."""
    return runtime("meminfo")


def remember_cgroup() -> None:
    """Keep the machine's own meminfo at hand, and the container's cgroup before systemd moves processes."""
    runtime("host-meminfo").touch()
    folder = None
    for line in device("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            folder = "/sys/fs/cgroup/memory" + path
            break
        if not controllers:
            folder = "/sys/fs/cgroup" + path
    runtime("cgroup").write_text(folder or "")


def cgroup_memory(folder: Path) -> tuple[int | None, int]:
    """(limit, use without reclaimable page cache) of a cgroup of either version, in bytes."""
    v1 = (folder / "memory.limit_in_bytes").exists()
    limit = (folder / ("memory.limit_in_bytes" if v1 else "memory.max")).read_text().strip()
    used = int((folder / ("memory.usage_in_bytes" if v1 else "memory.current")).read_text())
    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    cache = int(stat["total_inactive_file" if v1 else "inactive_file"])
    return (None if limit == "max" else int(limit)), max(used - cache, 0)


def render(machine: str, limit: int | None, used: int, swaps: list[swap.Swap]) -> str:
    """The machine's meminfo with the container's own totals. `limit` and `used` in bytes."""
    total = next(int(line.split()[1]) for line in machine.splitlines() if line.startswith("MemTotal:"))
    total = min(total, limit // 1024) if limit else total
    free = max(total - used // 1024, 0)
    swap_total = sum(area.size_kib for area in swaps)
    ours = {
        "MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0, "SwapCached": 0,
        "SwapTotal": swap_total, "SwapFree": swap_total,
    }  # fmt: skip
    lines = []
    for line in machine.splitlines():
        name = line.split(":")[0]
        lines.append(f"{name + ':':<16}{ours[name]:>8} kB" if name in ours else line)
    return "\n".join(lines) + "\n"


def refresh() -> None:
    """Write the double anew, in place because it is bound; one write, so that no reader sees half of it."""
    machine = runtime("host-meminfo").read_text() or device("/proc/meminfo").read_text()
    runtime("host-meminfo").write_text(machine)
    folder = Path(runtime("cgroup").read_text())
    try:
        limit, used = cgroup_memory(folder)
    except (OSError, KeyError):
        limit, used = None, 0
    text = render(machine, limit, used, swap.active()).encode()
    with double().open("r+b" if double().exists() else "w+b", buffering=0) as file:
        file.write(text)
        file.truncate(len(text))


def main() -> None:
    """Follow the container's use of memory."""
    while True:
        refresh()
        time.sleep(REFRESH_SECONDS)


if __name__ == "__main__":
    main()
