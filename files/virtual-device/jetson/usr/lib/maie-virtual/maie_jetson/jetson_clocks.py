"""Double of jetson_clocks: pins the clocks to the highest of the current power mode, stores and restores them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from maie_jetson import hardware, nvpmodel, release
from maie_jetson.hardware import EMC, EMC_CAP, GPU, cpu
from maie_jetson.powerconf import parse
from maie_virtual.faults import fault
from maie_virtual.paths import device

EMC_LOCK = f"{EMC}/mrq_rate_locked"


def settings() -> list[str]:
    """The files that a bare call changes."""
    cores = [cpu(core, "scaling_min_freq") for core in range(hardware.CPU_CORES)]
    return [*cores, f"{GPU}/min_freq", f"{EMC}/rate", EMC_LOCK]


def pin() -> None:
    """Set every clock to the highest that the mode allows (the bare call)."""
    for core in range(hardware.CPU_CORES):
        highest = hardware.read(cpu(core, "scaling_max_freq"))
        hardware.write(cpu(core, "scaling_min_freq"), highest)
        hardware.write(cpu(core, "scaling_cur_freq"), highest)
    gpu = hardware.read(f"{GPU}/max_freq")
    hardware.write(f"{GPU}/min_freq", gpu)
    hardware.write(f"{GPU}/cur_freq", hardware.GPU_HZ_NOT_SUPER[-1] if fault("gpu_stuck") else gpu)
    hardware.write(f"{EMC}/rate", hardware.read(EMC_CAP))
    hardware.write(EMC_LOCK, 1)


def store(file: Path) -> int:
    """Write the settings, one `path:value` a line (`--store`); a file that is there only if somebody says so."""
    if file.exists():
        print(f"File {file} already exists. Can I overwrite it? Y/N:", flush=True)
        if sys.stdin.readline().strip() not in ("Y", "y"):
            print(f"Error: file {file} already exists!", file=sys.stderr)
            return 1
    file.write_text("".join(f"{path}:{hardware.read(path)}\n" for path in settings()))
    return 0


def restore(file: Path) -> None:
    """Put stored settings back; the current clocks go down to the lowest (`--restore`)."""
    for line in file.read_text().splitlines():
        path, value = line.rsplit(":", 1)
        hardware.write(path, int(value))
    hardware.write(f"{GPU}/cur_freq", hardware.read(f"{GPU}/min_freq"))
    for core in range(hardware.CPU_CORES):
        hardware.write(cpu(core, "scaling_cur_freq"), hardware.read(cpu(core, "scaling_min_freq")))


def show() -> None:
    """Print all clocks (`--show`); JetPack 7 tells otherwise which cores are on, and no more who set the memory's."""
    newer = release.jetpack() >= 7
    model = device("/sys/firmware/devicetree/base/model").read_text().rstrip("\0")
    print(f"SOC family:tegra234  Machine:{model}")
    online = [core for core in range(hardware.CPU_CORES) if hardware.online(core)]
    off = ",".join(str(core) for core in range(hardware.CPU_CORES) if core not in online)
    print(f"Online CPUs: 0-{online[-1]}" + (f", Offline CPUs: {off}" if newer else ""))
    for core in range(hardware.CPU_CORES):
        low, high, now = (hardware.read(cpu(core, f"scaling_{which}_freq")) for which in ("min", "max", "cur"))
        print(
            f"cpu{core}:  {'' if newer else f'Online={int(core in online)} '}Governor=schedutil MinFreq={low} "
            f"MaxFreq={high} CurrentFreq={now} IdleStates: WFI=1 c7=1 "
        )
    low, high, now = (hardware.read(f"{GPU}/{which}_freq") for which in ("min", "max", "cur"))
    print(f"GPU MinFreq={low} MaxFreq={high} CurrentFreq={now}")
    print("Active GPU TPCs: 4")
    print(
        f"EMC MinFreq={hardware.read(f'{EMC}/min_rate')} MaxFreq={hardware.read(EMC_CAP)} "
        f"CurrentFreq={hardware.read(f'{EMC}/rate')}" + ("" if newer else f" FreqOverride={hardware.read(EMC_LOCK)}")
    )
    print("FAN Dynamic Speed Control=nvfancontrol hwmon0_pwm1=60")
    if newer:
        print("FAN Dynamic Speed Control=nvfancontrol hwmon0_pwm1_enable=1")
    conf = parse(device(nvpmodel.CONF).read_text())
    print(f"NV Power Mode: {conf.modes[nvpmodel.saved_mode(conf)].name}")


def main(arguments_given: list[str]) -> int:
    """The program jetson_clocks."""
    parser = argparse.ArgumentParser(prog="jetson_clocks")
    default = Path.home() / "l4t_dfs.conf"
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--show", action="store_true")
    action.add_argument("--store", nargs="?", type=Path, const=default)
    action.add_argument("--restore", nargs="?", type=Path, const=default)
    arguments = parser.parse_args(arguments_given)
    if os.geteuid() != 0:
        if release.jetpack() >= 7:
            print("sudo: a password is required", file=sys.stderr)
        else:
            print("Error: Run this script(/usr/bin/jetson_clocks) as a root user")
        return 1
    if arguments.show:
        show()
    elif arguments.store:
        return store(arguments.store)
    elif arguments.restore:
        if not arguments.restore.exists():
            print(f"Error: {arguments.restore} file not found!", file=sys.stderr)
            return 1
        restore(arguments.restore)
    else:
        pin()
    return 0
