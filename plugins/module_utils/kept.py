"""What a machine was like before it was changed: written down once, compared, and put back.

A :class:`Record` maps kinds of things to names to values that JSON can hold, and lies in one file that is written whole
or not at all. What a value is and how it is put back is each kind's own matter, see :mod:`kept_things`.
"""

from __future__ import annotations

import json
import operator
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils import durable  # type: ignore[attr-defined]

Values = dict[str, Any]
RECORD = "before.json"


class KeptError(Exception):
    """Something can't be kept or put back; the text says what and why."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Attributes:
        read: Gives the values that these names have now.
        put: Gives these names these values; raises KeptError.
        same: Whether two values, now and then, need nothing done.
    """

    read: Callable[[Iterable[str]], Values]
    put: Callable[[Values], None]
    same: Callable[[Any, Any], bool] = operator.eq


@dataclass
class Record:
    """Values by kind and name, and notes for whoever keeps it."""

    values: dict[str, Values] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A thing that is not as it was kept."""

    kind: str
    name: str
    now: Any
    then: Any


def load(folder: Path) -> Record | None:
    """Return the record that lies in the folder, or None; raises KeptError if it is damaged."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Record(dict(content["values"]), dict(content["notes"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise KeptError(
            f"{folder / RECORD} is damaged: what was there before can't be put back from it. Put a copy of it back, or "
            f"remove it to keep what is there now."
        ) from None


def store(folder: Path, record: Record) -> None:
    """Write the record: after a power cut there is the old one or the new one, whole."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = folder / f".{RECORD}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump({"values": record.values, "notes": record.notes}, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(folder / RECORD)
    for there in (folder, folder.parent):
        durable.sync(there)


def forget(folder: Path) -> None:
    """Remove the folder, the record last of all: without it nobody could go on where this stopped."""
    # After a power cut there is no state in which neither the record nor what was put back is on the disk.
    os.sync()
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != RECORD:
            entry.unlink()
    (folder / RECORD).unlink()
    folder.rmdir()


def keep(
    kinds: dict[str, Kind], wanted: dict[str, list[str]], notes: dict[str, Any], before: Record | None
) -> tuple[Record, list[str]]:
    """Return the record with what it lacks of the wanted names, and the names that were added.

    What is in it already stays: it was read before the first change, and now is after it.
    """
    old = before or Record()
    values = {kind: dict(entries) for kind, entries in old.values.items()}
    added = []
    for kind, names in wanted.items():
        there = values.setdefault(kind, {})
        missing = [name for name in dict.fromkeys(names) if name not in there]
        there.update(kinds[kind].read(missing))
        added += [f"{kind}: {name}" for name in missing]
    return Record(values, {**notes, **old.notes}), added


def differences(kinds: dict[str, Kind], record: Record) -> list[Difference]:
    """Return what is not as it was kept."""
    found = []
    for kind, then in record.values.items():
        now = kinds[kind].read(then)
        for name, value in then.items():
            if not kinds[kind].same(now[name], value):
                found.append(Difference(kind, name, now[name], value))
    return found
