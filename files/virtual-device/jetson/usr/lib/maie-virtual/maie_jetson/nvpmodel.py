"""Double of nvpmodel: sets and shows the power mode; keeps it in /var/lib/nvpmodel/status as the real one does.

Faults: `nvpmodel_fails` (every change after the boot's ends with an error), `not_super` (see hardware.gpu_table),
`mode_needs_reboot` (the name of a mode), `mode_without_effect`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from maie_jetson import hardware, release
from maie_jetson.powerconf import Mode, PowerConf, parse
from maie_virtual.faults import fault
from maie_virtual.paths import device, runtime

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


def applied() -> Path:
    """The file that holds the id of the mode that the board is really in; missing until the first one of a boot."""
    return runtime("power-mode")


def save(mode: Mode) -> None:
    """Remember the mode for the next boots."""
    status = device(STATUS)
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(f"pmode:{mode.id:04}\n")


def apply(conf: PowerConf, mode: Mode) -> None:
    """Write the mode's limits into the files of the board and remember the mode."""
    save(mode)
    if fault("mode_without_effect"):
        if applied().exists():
            return
        mode = conf.modes[conf.default]
    for parameter, argument, value in mode.settings:
        path = conf.path(parameter, argument)
        if argument in ("MIN_FREQ", "MAX_FREQ"):
            hardware.set_within_limits(path, value)
        else:
            hardware.write(path, value)
    applied().write_text(f"{mode.id}\n")


def needs_reboot(conf: PowerConf, mode: Mode) -> bool:
    """Whether the mode can't be entered now: its cores or its part of the GPU are not those that the board runs on.

    JetPack 7 asks in any case, also for the mode that is set.
    """
    if not applied().exists():
        return False
    if release.jetpack() >= 7:
        return True
    now = conf.modes.get(int(applied().read_text()))
    if now is None or now.id == mode.id:
        return False
    fixed = [[setting for setting in each.settings if setting[1].startswith(("CORE", "TPC"))] for each in (now, mode)]
    return fixed[0] != fixed[1] or fault("mode_needs_reboot") in (now.name, mode.name)


def ask_for_reboot(mode: Mode, force: bool) -> int:
    """The question of nvpmodel; whatever isn't yes changes nothing."""
    print("NVPM WARN: Golden image context is already created")
    if force:
        print("Automatically rebooting to reflect the mode change")
    else:
        print(f"NVPM WARN: Reboot required for changing to this power mode: {mode.id}")
        print("NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:", flush=True)
        answer = sys.stdin.readline()
        if answer.strip() not in ("YES", "yes"):
            if not answer:
                print("NVPM ERROR: bad input!", file=sys.stderr)
            print("NVPM ERROR: optMask is 1, no request for power mode", file=sys.stderr)
            return FAILED
    save(mode)
    print("NVPM WARN: rebooting", flush=True)
    return subprocess.run(("systemctl", "reboot"), check=False).returncode


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


def change(conf: PowerConf, number: int, force: bool) -> int:
    """Set a mode (`-m`, and the call at boot)."""
    if number not in conf.modes:
        print(f"NVPM ERROR: request for bad power mode {number}", file=sys.stderr)
        return FAILED
    if os.geteuid() != 0:
        # The real one leaves with 0 all the same.
        print(f"NVPM ERROR: Error opening {hardware.CPUS}/cpu0/online: 13", file=sys.stderr)
        print("NVPM ERROR: failed to set power mode!", file=sys.stderr)
        return 0
    if applied().exists() and fault("nvpmodel_fails"):
        print("NVPM ERROR: Error writing GPU MAX_FREQ: Device or resource busy", file=sys.stderr)
        print("NVPM ERROR: failed to set power mode!", file=sys.stderr)
        return FAILED
    if needs_reboot(conf, conf.modes[number]):
        return ask_for_reboot(conf.modes[number], force)
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
        status = change(conf, saved_mode(conf) if arguments.mode is None else arguments.mode, arguments.force)
    if arguments.query and status == 0:
        show(conf, arguments.verbose)
    return status
