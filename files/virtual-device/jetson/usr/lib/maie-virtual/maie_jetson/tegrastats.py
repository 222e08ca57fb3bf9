"""Double of tegrastats: one line at each interval, memory from /proc/meminfo, clocks from the board's files."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from maie_jetson import hardware
from maie_jetson.board import THERMAL_ZONES
from maie_virtual.paths import device

ZONES = ("cpu", "soc2", "soc0", "gpu", "tj", "soc1")
POWER = "VDD_IN 4744mW/4744mW VDD_CPU_GPU_CV 1273mW/1273mW VDD_SOC 1234mW/1234mW"


def memory_mb() -> dict[str, int]:
    """/proc/meminfo in MiB."""
    rows = (line.split() for line in device("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): round(int(row[1]) / 1024) for row in rows}


def temperatures() -> str:
    """The zones as tegrastats names them."""
    return " ".join(f"{name}@{THERMAL_ZONES[f'{name}-thermal'] / 1000:g}C" for name in ZONES)


def core_load(core: int) -> str:
    """Load and clock in MHz of a core."""
    return f"0%@{hardware.read(hardware.cpu(core, 'scaling_cur_freq')) // 1000}" if hardware.online(core) else "off"


def line(root: bool) -> str:
    """One line; only root sees the clocks of GPU and memory."""
    memory = memory_mb()
    used, swap = memory["MemTotal"] - memory["MemAvailable"], memory["SwapTotal"]
    cpus = ",".join(core_load(core) for core in range(hardware.CPU_CORES))
    emc = f"EMC_FREQ 0%@{hardware.read(f'{hardware.EMC}/rate') // 1_000_000} " if root else ""
    gpu = f"@[{hardware.read(f'{hardware.GPU}/cur_freq') // 1_000_000}]" if root else ""
    return (
        f"{time.strftime('%m-%d-%Y %H:%M:%S')} RAM {used}/{memory['MemTotal']}MB (lfb 1x4MB) "
        f"SWAP {swap - memory['SwapFree']}/{swap}MB (cached 0MB) CPU [{cpus}] {emc}GR3D_FREQ 0%{gpu} "
        f"{temperatures()} {POWER}"
    )


def main(arguments_given: list[str]) -> int:
    """The program tegrastats; runs until it is stopped."""
    parser = argparse.ArgumentParser(prog="tegrastats")
    parser.add_argument("--interval", type=int, default=1000, help="milliseconds")
    parser.add_argument("--logfile", type=Path)
    arguments = parser.parse_args(arguments_given)
    root = os.geteuid() == 0
    stream = arguments.logfile.open("a") if arguments.logfile else sys.stdout
    try:
        while True:
            print(line(root), file=stream, flush=True)
            time.sleep(arguments.interval / 1000)
    except (KeyboardInterrupt, BrokenPipeError):
        # The reader is gone: nothing more to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
