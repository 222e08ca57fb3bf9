"""Doubles of swapon and swapoff: same options, checks and messages for files, but no swapping."""

from __future__ import annotations

import argparse
import mmap
import os
import sys

from maie_virtual import meminfo
from maie_virtual.paths import device
from maie_virtual.swap import Swap, active, fstab_areas, render_table, store

SIGNATURE = b"SWAPSPACE2"


def switch_on(path: str, priority: int | None) -> str | None:
    """Add a swap file to the table; returns the message of the failure, or None."""
    areas = active()
    file = device(path)
    if not file.exists():
        return f"swapon: cannot open {path}: No such file or directory"
    if any(area.path == path for area in areas):
        return f"swapon: {path}: swapon failed: Device or resource busy"
    with file.open("rb") as stream:
        stream.seek(mmap.PAGESIZE - len(SIGNATURE))
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            return f"swapon: {path}: read swap header failed"
    if file.stat().st_mode & 0o077:
        mode = file.stat().st_mode & 0o7777
        print(f"swapon: {path}: insecure permissions {mode:04o}, 0600 suggested.", file=sys.stderr)
    if priority is None:
        priority = min([-1, *(area.priority for area in areas)]) - 1
    size_kib = (file.stat().st_size - mmap.PAGESIZE) // 1024
    store([*areas, Swap(path, size_kib, priority)])
    return None


def switch_off(path: str) -> str | None:
    """Take a swap file off the table; returns the message of the failure, or None."""
    areas = active()
    if not any(area.path == path for area in areas):
        missing = "Invalid argument" if device(path).exists() else "No such file or directory"
        return f"swapoff: {path}: swapoff failed: {missing}"
    store([area for area in areas if area.path != path])
    return None


def human(kib: int) -> str:
    """A size as util-linux writes it: at most one decimal, none when it is zero."""
    size, unit = float(kib), "K"
    for larger in "MGT":
        if size < 1023.95:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f}".removesuffix(".0") + unit


def show(arguments: argparse.Namespace) -> None:
    """`swapon --show` and `swapon --summary`."""
    if arguments.summary:
        sys.stdout.write(render_table(active()) if active() else "")
        return
    columns = [word.strip().upper() for word in arguments.show.split(",")]
    rows = [
        {
            "NAME": area.path,
            "TYPE": area.kind,
            "SIZE": str(area.size_kib * 1024) if arguments.bytes else human(area.size_kib),
            "USED": "0" if arguments.bytes else "0B",
            "PRIO": str(area.priority),
        }
        for area in active()
    ]
    shown = ([] if arguments.noheadings or not rows else [columns]) + [[row[name] for name in columns] for row in rows]
    widths = [max(len(row[place]) for row in shown) for place in range(len(columns))] if shown else []
    for row in shown:
        print(" ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main_swapon(arguments_given: list[str]) -> int:
    """The program swapon."""
    parser = argparse.ArgumentParser(prog="swapon")
    parser.add_argument("-a", "--all", action="store_true")
    parser.add_argument("-e", "--ifexists", action="store_true")
    parser.add_argument("-p", "--priority", type=int)
    parser.add_argument("-s", "--summary", action="store_true")
    parser.add_argument("--show", nargs="?", const="NAME,TYPE,SIZE,USED,PRIO")
    parser.add_argument("--noheadings", action="store_true")
    parser.add_argument("--bytes", action="store_true")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args(arguments_given)
    if not (arguments.all or arguments.paths) and arguments.show is None and not arguments.summary:
        arguments.show = "NAME,TYPE,SIZE,USED,PRIO"
    if arguments.show is not None or arguments.summary:
        show(arguments)
        return 0
    if os.geteuid() != 0:
        print("swapon: cannot open swap area: Permission denied", file=sys.stderr)
        return 255
    wanted = [(path, arguments.priority) for path in arguments.paths]
    if arguments.all:
        in_use = {area.path for area in active()}
        wanted += [(path, pri) for path, pri in fstab_areas(device("/etc/fstab").read_text()) if path not in in_use]
    if arguments.ifexists:
        wanted = [(path, priority) for path, priority in wanted if device(path).exists()]
    return finish([switch_on(path, priority) for path, priority in wanted])


def main_swapoff(arguments_given: list[str]) -> int:
    """The program swapoff."""
    parser = argparse.ArgumentParser(prog="swapoff")
    parser.add_argument("-a", "--all", action="store_true")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args(arguments_given)
    if os.geteuid() != 0:
        print("swapoff: Not superuser.", file=sys.stderr)
        return 255
    paths = [area.path for area in active()] if arguments.all else arguments.paths
    return finish([switch_off(path) for path in paths])


def finish(messages: list[str | None]) -> int:
    """Print the failures, bring /proc/meminfo up to date, give the exit status."""
    failures = [message for message in messages if message]
    for message in failures:
        print(message, file=sys.stderr)
    meminfo.refresh()
    return 255 if failures else 0
