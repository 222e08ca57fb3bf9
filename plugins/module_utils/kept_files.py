"""Files, links and folders as kinds of things that can be recorded and restored."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.kept import KeptError, Values  # type: ignore[import-not-found]


def read_file(path: str) -> dict[str, Any] | None:
    """Return owner, mode and content of a file, or owner and target of a link; None if there is neither."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    owner = {"uid": status.st_uid, "gid": status.st_gid}
    if Path(path).is_symlink():
        return {**owner, "link": os.readlink(path)}  # noqa: PTH115 - a Path would normalise the target
    if not Path(path).is_file():
        raise KeptError(f"{path} is neither a file nor a link.")
    content = base64.b64encode(Path(path).read_bytes()).decode()
    return {**owner, "mode": status.st_mode & 0o7777, "content": content}


def put_file(path: str, value: dict[str, Any] | None) -> None:
    """Restore a file or link, by one rename."""
    if value is None:
        Path(path).unlink(missing_ok=True)
        return
    fresh = Path(path).with_name(f".{Path(path).name}.kept")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    if "link" in value:
        fresh.symlink_to(value["link"])
        os.chown(fresh, value["uid"], value["gid"], follow_symlinks=False)
    else:
        # Nobody else may read it before it has its own mode; changing the owner clears setuid, so the mode comes last.
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(base64.b64decode(value["content"]))
            stream.flush()
            os.fchown(stream.fileno(), value["uid"], value["gid"])
            os.fchmod(stream.fileno(), value["mode"])
            os.fsync(stream.fileno())
    fresh.replace(path)


def put_files(values: Values) -> None:
    """Restore files and links."""
    for path, value in values.items():
        put_file(path, value)


def remove_made(values: Values) -> None:
    """Remove what did not exist before."""
    for path, was_there in values.items():
        if was_there:
            raise KeptError(f"{path} existed and is gone; only its name was recorded.")
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


def read_folder(path: str) -> str | None:
    """Return ``empty`` for an empty folder; None for one that is missing or in use."""
    return "empty" if Path(path).is_dir() and not any(Path(path).iterdir()) else None


def remove_folders(values: Values) -> None:
    """Remove empty folders, the deepest first; removing one may empty its parent."""
    for path in sorted(values, key=len, reverse=True):
        if read_folder(path) == "empty":
            Path(path).rmdir()


def missing_parents(path: str) -> list[str]:
    """Return the missing folders above a path."""
    return [str(parent) for parent in Path(path).parents if not parent.exists()]
