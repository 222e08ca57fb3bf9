"""A machine's state before it was changed: recorded once, compared, and restored.

A :class:`Record` maps kinds of things to names to JSON values, in one file that is written completely or not at all.
Each kind defines its values and how they are restored, see :mod:`kept_things`.
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
    """Something can't be recorded or restored; the text says what and why."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Attributes:
        read: Returns the values that these names have now.
        put: Sets these names to these values; raises KeptError.
        same: Whether two values, now and then, need no change.
    """

    read: Callable[[Iterable[str]], Values]
    put: Callable[[Values], None]
    same: Callable[[Any, Any], bool] = operator.eq


@dataclass
class Record:
    """Values by kind and name, and notes for the caller."""

    values: dict[str, Values] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A thing that differs from the record."""

    kind: str
    name: str
    now: Any
    then: Any


def load(folder: Path) -> Record | None:
    """Return the folder's record, or None; raises KeptError if it is damaged."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return Record(dict(content["values"]), dict(content["notes"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise KeptError(
            f"{folder / RECORD} is damaged: the previous state can't be restored from it. Replace it with a copy, or "
            f"remove it to keep the present state."
        ) from None


def store(folder: Path, record: Record) -> None:
    """Write the record: after a power cut the file is the complete old one or the complete new one."""
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
    """Remove the folder, the record last: without it an interrupted removal could not be resumed."""
    # At every moment the disk has the record or everything that was restored, even after a power cut.
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
    """Return the record with the missing wanted names added, and those names.

    Existing values stay: they were read before the first change.
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
    """Return what differs from the record."""
    found = []
    for kind, then in record.values.items():
        now = kinds[kind].read(then)
        for name, value in then.items():
            if not kinds[kind].same(now[name], value):
                found.append(Difference(kind, name, now[name], value))
    return found
