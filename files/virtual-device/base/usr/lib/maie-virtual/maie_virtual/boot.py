"""Put doubles in place of the machine-wide files of the kernel. Runs as root before systemd does."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import uuid
from pathlib import Path

from maie_virtual import disk, meminfo, swap
from maie_virtual.paths import runtime

VM = Path("/proc/sys/vm")


def mount(*arguments: str) -> None:
    """Run the program mount; raises CalledProcessError."""
    subprocess.run(("mount", *arguments), check=True)


def bind(source: Path, target: str) -> None:
    """Show `source` at `target`."""
    mount("--bind", str(source), target)


def copy_vm_settings(target: Path) -> None:
    """Copy /proc/sys/vm, whose settings belong to the whole machine; write-only ones become empty files."""
    target.mkdir(mode=0o755)
    for setting in VM.iterdir():
        double = target / setting.name
        try:
            double.write_bytes(setting.read_bytes())
        except OSError:
            double.write_bytes(b"")
        shutil.copymode(setting, double)


def main() -> None:
    """Bind all doubles; those of a board come from the board's own package when the overlay has it."""
    runtime("").mkdir(mode=0o755, parents=True)

    # A container keeps the machine's boot id; who waits for a reboot looks for a new one.
    runtime("boot_id").write_text(f"{uuid.uuid4()}\n")
    bind(runtime("boot_id"), "/proc/sys/kernel/random/boot_id")

    copy_vm_settings(runtime("vm"))
    bind(runtime("vm"), str(VM))

    meminfo.remember_cgroup()
    swap.clear()
    meminfo.refresh()
    bind(swap.table(), "/proc/swaps")
    bind(meminfo.double(), "/proc/meminfo")

    disk.apply_fault()
    if importlib.util.find_spec("maie_jetson"):
        importlib.import_module("maie_jetson.board").build()


if __name__ == "__main__":
    main()
