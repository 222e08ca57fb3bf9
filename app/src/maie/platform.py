"""What the service knows of the machine that it runs on."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

TEGRA_RELEASE = Path("/etc/nv_tegra_release")
"""Written by NVIDIA's ``nvidia-l4t-core`` package on every Jetson, and by nothing else."""

MEMINFO = Path("/proc/meminfo")


def memory_bytes() -> int:
    """Return how much memory Linux has, in bytes, as ``free`` and Ansible's facts show it.

    Raises:
        OSError, ValueError: It can't be found out.
    """
    total = re.search(r"^MemTotal:\s+(\d+) kB$", MEMINFO.read_text(encoding="ascii"), re.MULTILINE)
    if total is None:
        raise ValueError(f"{MEMINFO} does not name MemTotal.")
    return int(total.group(1)) * 1024


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_jetson(release_file: Path = TEGRA_RELEASE) -> bool:
    """Whether this is a Jetson: NVIDIA's release file is there and names an L4T release."""
    try:
        return release_file.read_text(encoding="utf-8", errors="replace").startswith("# R")
    except OSError:
        return False
