"""Double of tegrastats: one line at each interval, memory from /proc/meminfo, clocks from the board's files."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from maie_jetson import hardware, release
from maie_jetson.board import THERMAL_ZONES
from maie_virtual.faults import fault
from maie_virtual.paths import device

ZONES = ("cpu", "soc2", "soc0", "gpu", "tj", "soc1")
RAILS = {"VDD_IN": 4744, "VDD_CPU_GPU_CV": 1273, "VDD_SOC": 1234}


def memory_mb() -> dict[str, int]:
    """/proc/meminfo in MiB."""
    rows = (line.split() for line in device("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): round(int(row[1]) / 1024) for row in rows}


def temperatures(jetpack: int) -> str:
    """The zones as tegrastats names them; JetPack 7 adds the highest, JetPack 5 has capitals and parts that are off."""
    degrees = {name: f"{THERMAL_ZONES[f'{name}-thermal'] / 1000:g}C" for name in ZONES}
    if jetpack == 5:
        return " ".join(
            ["CV0@-256C", *(f"{name if name == 'tj' else name.upper()}@{c}" for name, c in degrees.items())]
        )
    return " ".join(f"{name}@{c}/{c}" if jetpack >= 7 else f"{name}@{c}" for name, c in degrees.items())


def rails(jetpack: int) -> str:
    """What each rail draws: now, on average and, with JetPack 7, at most; JetPack 5 has none of it on this board."""
    numbers = 0 if jetpack == 5 else 3 if jetpack >= 7 else 2
    return "".join(f" {name} {'/'.join([f'{mw}mW'] * numbers)}" for name, mw in RAILS.items() if numbers)


def core_load(core: int) -> str:
    """Load and clock in MHz of a core."""
    return f"0%@{hardware.read(hardware.cpu(core, 'scaling_cur_freq')) // 1000}" if hardware.online(core) else "off"


def line(root: bool) -> str:
    """One line in the form of the board's JetPack; only root sees the clocks of GPU and memory."""
    jetpack = release.jetpack()
    memory = memory_mb()
    used, swap = memory["MemTotal"] - memory["MemAvailable"], memory["SwapTotal"]
    blocks = "1x1MB" if fault("scattered_memory") else "1x4MB"
    swapped = f"SWAP {swap - memory['SwapFree']}/{swap}MB (cached 0MB) " if swap else ""
    cpus = ",".join(core_load(core) for core in range(hardware.CPU_CORES))
    emc = f"EMC_FREQ 0%@{hardware.read(f'{hardware.EMC}/rate') // 1_000_000} " if root else ""
    first = "0" if jetpack >= 7 else ""
    engines = f"NVDEC{first} off NVJPG{first} off NVJPG1 off VIC off OFA off APE 200 " if root else ""
    gpu = f"@[{hardware.read(f'{hardware.GPU}/cur_freq') // 1_000_000}]" if root else ""
    return (
        f"{time.strftime('%m-%d-%Y %H:%M:%S')} RAM {used}/{memory['MemTotal']}MB (lfb {blocks}) {swapped}CPU [{cpus}] "
        f"{emc}GR3D_FREQ 0%{gpu} {engines}{temperatures(jetpack)}{rails(jetpack)}"
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
