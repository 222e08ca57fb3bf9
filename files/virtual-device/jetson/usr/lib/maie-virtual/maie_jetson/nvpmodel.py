"""Double of nvpmodel: sets and shows the power mode; keeps it in /var/lib/nvpmodel/status as the real one does.

Faults: `nvpmodel_fails` (every change ends with an error), `not_super` (see hardware.gpu_table).
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from maie_jetson import hardware
from maie_jetson.powerconf import Mode, PowerConf, parse
from maie_virtual.faults import fault
from maie_virtual.paths import device

CONF = "/etc/nvpmodel.conf"
STATUS = "/var/lib/nvpmodel/status"
FAILED = 234


def saved_mode(conf: PowerConf) -> int:
    """Id of the mode that is in force: the saved one, else the configuration's default."""
    try:
        match = re.match(r"pmode:(\d+)", device(STATUS).read_text())
    except FileNotFoundError:
        match = None
    return int(match[1]) if match and int(match[1]) in conf.modes else conf.default


def apply(conf: PowerConf, mode: Mode) -> None:
    """Write the mode's limits into the files of the board and remember the mode."""
    for parameter, argument, value in mode.settings:
        path = conf.path(parameter, argument)
        if argument in ("MIN_FREQ", "MAX_FREQ"):
            hardware.set_within_limits(path, value)
        else:
            hardware.write(path, value)
    status = device(STATUS)
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(f"pmode:{mode.id:04}\n")


def show_settings(conf: PowerConf, mode: Mode) -> None:
    """One line for each setting of a mode: what the board has, what the configuration wants."""
    for parameter, argument, value in mode.settings:
        path = conf.path(parameter, argument)
        wanted = 2147483647 if value < 0 else value
        print(
            f"NVPM VERB: PARAM {parameter}: ARG {argument}: PATH {path}: "
            f"REAL_VAL: {hardware.read(path)} CONF_VAL: {wanted}"
        )


def show(conf: PowerConf, verbose: bool) -> None:
    """Print the current mode (`-q`)."""
    mode = conf.modes[saved_mode(conf)]
    print(f"{'NVPM VERB: Current mode: ' if verbose else ''}NV Power Mode: {mode.name}\n{mode.id}")
    if verbose:
        show_settings(conf, mode)


def show_configuration(conf: PowerConf) -> None:
    """Print the modes that exist (`-p --verbose`)."""
    print(f"NVPM VERB: PM_CONFIG: DEFAULT={conf.modes[conf.default].name}({conf.default})")
    for mode in conf.modes.values():
        print(f"NVPM VERB: POWER_MODEL: ID={mode.id} NAME={mode.name}")


def change(conf: PowerConf, number: int) -> int:
    """Set a mode (`-m`, and the call at boot)."""
    if os.geteuid() != 0:
        print("NVPM ERROR: Permission denied, run as root", file=sys.stderr)
        return FAILED
    if number not in conf.modes:
        print(f"NVPM ERROR: invalid power mode: {number}", file=sys.stderr)
        return FAILED
    if fault("nvpmodel_fails"):
        print("NVPM ERROR: Error writing GPU MAX_FREQ: Device or resource busy", file=sys.stderr)
        print("NVPM ERROR: failed to set power mode!", file=sys.stderr)
        return FAILED
    apply(conf, conf.modes[number])
    return 0


def main(arguments_given: list[str]) -> int:
    """The program nvpmodel."""
    parser = argparse.ArgumentParser(prog="nvpmodel")
    parser.add_argument("-f", "--file", default=CONF)
    parser.add_argument("-m", "--mode", type=int)
    parser.add_argument("-q", "--query", action="store_true")
    parser.add_argument("-p", "--parse", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(arguments_given)
    try:
        conf = parse(device(arguments.file).read_text())
    except (OSError, ValueError) as error:
        print(f"NVPM ERROR: parsing {arguments.file} failed: {error}", file=sys.stderr)
        return FAILED
    if arguments.verbose:
        print(f"NVPM VERB: Config file: {arguments.file}\nNVPM VERB: parsing done for {arguments.file}")
    if arguments.parse:
        if arguments.verbose:
            show_configuration(conf)
        return 0
    status = 0
    if arguments.mode is not None or not arguments.query:
        status = change(conf, saved_mode(conf) if arguments.mode is None else arguments.mode)
    if arguments.query and status == 0:
        show(conf, arguments.verbose)
    return status
