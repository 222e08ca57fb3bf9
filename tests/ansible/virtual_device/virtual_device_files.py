"""A virtual device's files below a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from maie_jetson import board, release
from maie_virtual import meminfo, swap

FOLDER = Path(__file__).resolve().parents[3] / "files" / "virtual-device"
POWER_CONF = FOLDER / "jetson/etc/nvpmodel/nvpmodel_p3767_0003_super.conf"
L4T_PACKAGES = FOLDER / "jetson/usr/lib/maie-virtual/l4t-packages"
FAN_CONF = FOLDER / "jetson/etc/nvpower/nvfancontrol/nvfancontrol_p3767_0000.conf"


class Device:
    """A device's root in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)
        self.path(name).chmod(mode)

    def read(self, name: str) -> str:
        return self.path(name).read_text()

    def faults(self, text: str) -> None:
        self.write("/etc/maie-virtual/faults.yml", text)


def booted_device(root: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """What a device's doubles find after a boot, with the caller as its root user."""
    monkeypatch.setenv("MAIE_VIRTUAL_ROOT", str(root))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    device = Device(root)
    device.write(board.POWER_CONF, POWER_CONF.read_text())
    device.path("/etc/nvpmodel.conf").symlink_to(device.path(board.POWER_CONF))
    device.write(release.PACKAGES, L4T_PACKAGES.read_text())
    device.write("/etc/nv_tegra_release", release.tegra_release(release.STOCK))
    device.write("/etc/nvfancontrol.conf", FAN_CONF.read_text())
    device.write("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:         1 kB\nMemAvailable:    1 kB\n"
                 "SwapTotal:       0 kB\nSwapFree:        0 kB\nHugepagesize:    2048 kB\n")  # fmt: skip
    device.write("/proc/self/cgroup", "5:cpu,memory:/docker/abc\n1:name=systemd:/docker/abc/init.scope\n0::/x\n")
    device.path("/run/maie-virtual").mkdir(parents=True)
    board.write_files()
    meminfo.remember_cgroup()
    swap.clear()
    meminfo.refresh()
    return device
