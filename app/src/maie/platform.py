"""Which platform this is, read from what the platform itself says of it."""

from __future__ import annotations

from pathlib import Path

TEGRA_RELEASE = Path("/etc/nv_tegra_release")
"""Written by NVIDIA's ``nvidia-l4t-core`` package on every Jetson, and by nothing else."""


def is_jetson(release_file: Path = TEGRA_RELEASE) -> bool:
    """Whether this is a Jetson: NVIDIA's release file is there and names an L4T release."""
    try:
        return release_file.read_text(encoding="utf-8", errors="replace").startswith("# R")
    except OSError:
        return False
