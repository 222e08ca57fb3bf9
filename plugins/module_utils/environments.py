"""Environments on a host: made once, shared by releases, and used only while they are intact.

``<root>/environments/<id>/`` is a virtual environment. Its ``.complete``, written last, records every folder (owner and
mode) and every file: its identity (SHA-256 or target, owner and mode) and its metadata (size, times of change). An
environment is verified by its files' metadata; only a file whose metadata differs is read again. No program can set an
inode's change time, so a file that was changed and otherwise looks as before is found too.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
from pathlib import Path
from shutil import rmtree
from typing import Any

from ansible.module_utils import durable  # type: ignore[attr-defined]
from ansible.module_utils.sums import sha256

COMPLETE = ".complete"

# As the system's headers have them.
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def survey(folder: Path) -> dict[str, os.stat_result]:
    """Return the metadata of a folder (``.``) and of all below it except the record, by relative path."""
    found = {".": folder.stat()}
    inside = [""]
    while inside:
        place = inside.pop()
        with os.scandir(folder / place) as entries:
            for entry in entries:
                name = f"{place}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    inside.append(f"{name}/")
                if name != COMPLETE:
                    found[name] = entry.stat(follow_symlinks=False)
    return found


def looks(shown: os.stat_result) -> list[int]:
    """Return the metadata that shows whether a file or folder was touched; a folder's times show its files' too."""
    if stat.S_ISDIR(shown.st_mode):
        return [shown.st_uid, shown.st_mode]
    return [shown.st_size, shown.st_mtime_ns, shown.st_ctime_ns]


def identity(path: Path, shown: os.stat_result) -> list[Any]:
    """Return the identity of a file or folder: its content, owner, kind and mode."""
    if stat.S_ISDIR(shown.st_mode):
        content = ""
    else:
        content = str(path.readlink()) if stat.S_ISLNK(shown.st_mode) else sha256(path)
    return [content, shown.st_uid, shown.st_mode]


def fault(folder: Path) -> str:
    """Return why an environment can't be used; empty if it is intact."""
    try:
        return difference(folder)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "its record is damaged"
    except OSError as error:
        return f"it can't be read: {error}"


def difference(folder: Path) -> str:
    """Return how an environment differs from its record, which may be damaged."""
    if not (folder / COMPLETE).is_file():
        return "it was never completed" if folder.is_dir() else "it is missing"
    text = (folder / COMPLETE).read_text(encoding="utf-8")
    if text.strip() == folder.name:
        # Made by a version that recorded no files. Only releases of that time refer to it.
        return ""
    recorded = json.loads(text)
    for name, shown in survey(folder).items():
        was = recorded.pop(name, None)
        if was is None:
            return f"{name} was added"
        if looks(shown) != was["looks"] and identity(folder / name, shown) != was["is"]:
            return f"{'the folder itself' if name == '.' else name} was changed"
    return f"{min(recorded)} is missing" if recorded else ""


def complete(made: Path, place: Path) -> None:
    """Record a finished environment, write it to the disk, and move it into place in one step.

    A damaged one changes places with it and is removed: a power cut leaves the one or the other in place, never none,
    and programs that run from it find the new one's files.
    """
    protect(made)
    os.sync()
    recorded = {
        name: {"is": identity(made / name, shown), "looks": looks(shown)} for name, shown in survey(made).items()
    }
    made.chmod(0o755)
    (made / COMPLETE).write_text(json.dumps(recorded), encoding="utf-8")
    (made / COMPLETE).chmod(0o444)
    durable.sync(made / COMPLETE)
    durable.sync(made)
    if place.exists():
        # Without leave to write in it, a folder can't get another parent.
        place.chmod(0o755)
        exchange(made, place)
    else:
        made.rename(place)
    place.chmod(0o555)
    durable.sync(place.parent)
    remove(made)


def exchange(one: Path, other: Path) -> None:
    """Let two files or folders of one file system change places, in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), f"{one} and {other} can't change places")


def protect(folder: Path) -> None:
    """Make a folder and everything below it readable by everyone and writable by nobody."""
    folder.chmod(0o555)
    for parent, folders, names in os.walk(folder):
        for path in (Path(parent, name) for name in folders + names):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(0o555 if stat.S_ISDIR(mode) or mode & 0o100 else 0o444)


def remove(folder: Path) -> None:
    """Remove an environment or a release: its marker first, so that a partial one never looks complete."""
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    (folder / COMPLETE).unlink(missing_ok=True)
    durable.sync(folder)
    rmtree(folder)
