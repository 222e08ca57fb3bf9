"""Things of a Linux machine that can be recorded and restored: files, units, swap, kernel settings, holds, groups.

Each kind is a pair of functions over names and values; :data:`KINDS` lists them and :func:`restore` has the order.
"""

from __future__ import annotations

import grp
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible.module_utils.kept import (  # type: ignore[import-not-found]
    Difference,
    KeptError,
    Kind,
    Record,
    Values,
    differences,
)
from ansible.module_utils.kept_files import (  # type: ignore[import-not-found]
    missing_parents,
    put_files,
    read_file,
    read_folder,
    remove_folders,
    remove_made,
)

UNIT_LINKS = Path("/etc/systemd/system")
SYSCTLS = Path("/proc/sys")
SWAPS = Path("/proc/swaps")
TIMEOUT = 300
SETTLING_SECONDS = 5.0


def run(*command: str, check: bool = True) -> str:
    """Return a program's output; raises KeptError with its message if it fails and ``check`` is set."""
    try:
        done = subprocess.run(  # noqa: S603 - names of units and packages are arguments, never a shell's
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=plain()
        )
    except subprocess.TimeoutExpired:
        raise KeptError(f"'{' '.join(command)}' did not end within {TIMEOUT} s; reboot the host.") from None
    if check and done.returncode != 0:
        raise KeptError(f"'{' '.join(command)}' failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def plain() -> dict[str, str]:
    """Return the environment with messages in English, which is parsed here."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def unit_links() -> dict[str, str]:
    """Return all links in the administrator's unit folder: path to target."""
    found = {}
    for folder, folders, files in os.walk(UNIT_LINKS):
        for name in folders + files:
            path = Path(folder, name)
            if path.is_symlink():
                found[str(path)] = os.readlink(path)  # noqa: PTH115 - as in kept_files
    return found


def read_unit_links(units: Iterable[str]) -> Values:
    """Return each unit's links that enable, mask or alias it."""
    links = unit_links()
    return {
        unit: {path: target for path, target in links.items() if unit in (Path(path).name, Path(target).name)}
        for unit in units
    }


def put_unit_links(values: Values) -> None:
    """Restore the links of each unit."""
    now = read_unit_links(values)
    for unit, then in values.items():
        for path in now[unit].keys() - then.keys():
            Path(path).unlink(missing_ok=True)
            remove_folders({str(Path(path).parent): None} if Path(path).parent != UNIT_LINKS else {})
        for path, target in then.items():
            if now[unit].get(path) != target:
                Path(path).unlink(missing_ok=True)
                Path(path).parent.mkdir(mode=0o755, exist_ok=True)
                Path(path).symlink_to(target)


def read_unit(unit: str) -> bool | None:
    """Return whether the unit runs; None if it does not exist."""
    shown = run("systemctl", "show", "--property=LoadState,ActiveState", unit)
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    active = properties.get("ActiveState") in ("active", "activating", "reloading")
    return None if properties.get("LoadState") == "not-found" and not active else active


def put_units(values: Values) -> None:
    """Start and stop units. The comparison afterwards finds what did not start."""
    stop = [unit for unit, active in values.items() if not active]
    services = [unit for unit, active in values.items() if active and unit.endswith(".service")]
    triggers = [unit for unit, active in values.items() if active and not unit.endswith(".service")]
    if stop:
        run("systemctl", "stop", *stop)
    # A socket can no longer start once its service runs.
    for start in (triggers, services):
        if start:
            run("systemctl", "start", *start, check=False)


def read_sysctl(name: str) -> str | None:
    """Return a kernel setting's value."""
    path = SYSCTLS / name.replace(".", "/")
    return " ".join(path.read_text(encoding="ascii").split()) if path.exists() else None


def put_sysctls(values: Values) -> None:
    """Set kernel settings."""
    for name, value in values.items():
        (SYSCTLS / name.replace(".", "/")).write_text(f"{value}\n", encoding="ascii")


def read_holds(packages: Iterable[str]) -> Values:
    """Return whether each package is held at its version; None if it is not installed."""
    held = run("apt-mark", "showhold").split()
    installed = run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n").splitlines()
    return {name: name in held if f"{name} installed" in installed else None for name in packages}


def put_holds(values: Values) -> None:
    """Hold packages, or release them."""
    for action, wanted in (("hold", True), ("unhold", False)):
        names = [name for name, held in values.items() if bool(held) is wanted]
        if names:
            run("apt-mark", action, *names)


def same_switch(now: bool | None, then: bool | None) -> bool:
    """Return whether a switch is as it was; what is gone (None) was removed by others, and stays removed."""
    return now is None or now is bool(then)


def active_swaps() -> dict[str, int]:
    """Return the swap areas in use and their priorities; -1 for a priority that the kernel chose."""
    rows = (line.split() for line in SWAPS.read_text(encoding="utf-8").splitlines()[1:])
    return {row[0]: max(int(row[4]), -1) for row in rows}


def read_swaps(areas: Iterable[str]) -> Values:
    """Return each area's priority; None if it is not in use."""
    active = active_swaps()
    return {area: active.get(area) for area in areas}


def put_swaps(values: Values) -> None:
    """Activate or deactivate areas."""
    active = active_swaps()
    for area, priority in values.items():
        if area in active:
            run("swapoff", area)
        if priority is not None:
            run("swapon", *(["--priority", str(priority)] if priority >= 0 else []), area)


def group_exists(name: str) -> bool:
    """Return whether a group of this name exists."""
    return any(entry.gr_name == name for entry in grp.getgrall())


def put_groups(values: Values) -> None:
    """Remove groups that did not exist."""
    for name, was_there in values.items():
        if was_there:
            raise KeptError(f"The group {name} existed and is gone; only its name was recorded.")
        run("groupdel", name)


KINDS = {
    "files": Kind(
        lambda names: {name: read_file(name) for name in names},
        put_files,
    ),
    "made": Kind(lambda names: {name: os.path.lexists(name) for name in names}, remove_made),
    "folders": Kind(lambda names: {name: read_folder(name) for name in names}, remove_folders),
    "unit_links": Kind(read_unit_links, put_unit_links),
    "units": Kind(lambda names: {name: read_unit(name) for name in names}, put_units, same_switch),
    "sysctls": Kind(lambda names: {name: read_sysctl(name) for name in names}, put_sysctls),
    "holds": Kind(read_holds, put_holds, same_switch),
    "swaps": Kind(read_swaps, put_swaps),
    "groups": Kind(lambda names: {name: group_exists(name) for name in names}, put_groups),
}


def complete(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the wanted names with those that belong to them: links of units, parent folders, areas in use."""
    above = [parent for kind in ("files", "made") for path in wanted[kind] for parent in missing_parents(path)]
    return {
        **wanted,
        "folders": above,
        "unit_links": wanted["units"],
        "swaps": [*wanted["swaps"], *active_swaps()] if wanted["swaps"] else [],
    }


def remaining(record: Record) -> list[Difference]:
    """Return what still differs after the units that were just started have had time to rewrite their files."""
    end = time.monotonic() + SETTLING_SECONDS
    while (left := differences(KINDS, record)) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def restore(record: Record, reread: list[str], swap_unit: str) -> list[Difference]:
    """Restore everything and return what differed.

    Args:
        record: The previous state.
        reread: Units that read or write recorded files while they run: stopped meanwhile, if anything differs.
        swap_unit: Unit that sets up swap areas which don't survive a boot: started if one that was in use is missing.

    Raises:
        KeptError: Something could not be restored, or still differs afterwards.
    """
    found = differences(KINDS, record)
    if not found:
        return found

    def step(kind: str, chosen: Callable[[object], bool] = lambda _: True) -> None:
        different = differences(KINDS, Record({kind: record.values.get(kind, {})}))
        values = {each.name: each.then for each in different if chosen(each.then)}
        if values:
            KINDS[kind].put(values)

    def is_off(then: object) -> bool:
        return then is None or then is False

    step("units", is_off)
    put_units({unit: False for unit in reread if read_unit(unit)})
    step("swaps", is_off)
    for kind in ("files", "made", "unit_links", "groups"):
        step(kind)
    # All of them: a folder that contains another is not empty, and so not a difference, until that is gone.
    remove_folders(record.values.get("folders", {}))
    # Unlike a reload, this also makes systemd reread its own settings.
    run("systemctl", "daemon-reexec")
    for kind in ("sysctls", "holds"):
        step(kind)
    step("units")
    if swap_unit and differences(KINDS, Record({"swaps": record.values.get("swaps", {})})):
        run("systemctl", "start", swap_unit, check=False)
    step("swaps")
    left = remaining(record)
    if left:
        names = ", ".join(f"{each.name} ({each.kind})" for each in left)
        raise KeptError(f"Not everything could be restored: {names}. Reboot the host and run it again.")
    return found
