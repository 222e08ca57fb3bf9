"""Reads files, links and program output of a system: the running one, or a recorded one below a folder."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from pathlib import Path

OUTPUTS = "/recorded"
"""Folder of a recorded system with its programs' output, each file named after the command's first two words."""


PATIENCE = 5
"""Seconds within which a program that prints continuously must have begun."""


class SystemReader:
    """Reads below a root, and collects a sentence for everything that exists but can't be read.

    Args:
        root: ``/`` for the running system.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: list[str] = []

    def path(self, path: str) -> Path:
        """Return the real location of an absolute path of the system."""
        return self.root / path.lstrip("/")

    def raw(self, path: str) -> bytes:
        """Return the file's bytes, empty if it is missing."""
        try:
            return self.path(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            # The thermal zone of a part that is powered off answers "try again" as long as it is off.
            if error.errno != errno.EAGAIN:
                self.unreadable.append(f"{path}: {error.strerror}")
            return b""

    def text(self, path: str) -> str:
        """Return the file's text, empty if it is missing."""
        return self.raw(path).decode("utf-8", "replace")

    def number(self, path: str) -> int | None:
        """Return the integer in the file, None if it has none."""
        text = self.text(path).strip()
        return int(text) if text.lstrip("-").isdigit() else None

    def matches(self, pattern: str) -> list[str]:
        """Return the system's paths that match a glob pattern, shorter ones first: ``zone2`` before ``zone10``."""
        found = (f"/{path.relative_to(self.root)}" for path in self.root.glob(pattern.lstrip("/")))
        return sorted(found, key=lambda path: (len(path), path))

    def resolved(self, path: str) -> str | None:
        """Return the path with all links resolved, None if it does not exist."""
        there = self.path(path)
        return f"/{there.resolve().relative_to(self.root.resolve())}" if there.exists() else None

    def output(self, *command: str, may_fail: bool = False) -> str:
        """Return a program's output; empty if it is missing or hangs. A failure is recorded unless it is expected."""
        if self.root != Path("/"):
            return self.text(f"{OUTPUTS}/{'_'.join(command[:2])}")
        try:
            done = subprocess.run(  # noqa: S603 - the commands are the modules' own, never a shell's
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                env=_environment(),
            )
        except FileNotFoundError:
            return ""
        except (OSError, subprocess.TimeoutExpired) as error:
            self.unreadable.append(f"{' '.join(command)}: {error}")
            return ""
        if done.returncode != 0 and not may_fail:
            printed = (done.stderr.strip() or done.stdout.strip() or f"ended with {done.returncode}").splitlines()
            self.unreadable.append(f"{' '.join(command)}: {printed[-1]}")
        return done.stdout

    def first_line(self, *command: str) -> str:
        """Return the first line of a program that prints continuously, then stop it; empty if missing or silent."""
        if self.root != Path("/"):
            return self.output(*command).partition("\n")[0]
        try:
            started = subprocess.Popen(  # noqa: S603 - as above
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=_environment(),
            )
        except OSError:
            return ""
        with started:
            silent = threading.Timer(PATIENCE, started.kill)
            silent.start()
            line = started.stdout.readline() if started.stdout else ""
            silent.cancel()
            started.kill()
        return line.rstrip("\n")

    def usage(self, path: str) -> tuple[int, int]:
        """Return size and free bytes of the file system at an existing path; ``(0, 0)`` if not recorded."""
        if self.root == Path("/"):
            usage = os.statvfs(path)
            return usage.f_frsize * usage.f_blocks, usage.f_frsize * usage.f_bavail
        rows = [line.split() for line in self.output("df", "-B1").splitlines()[1:]]
        holding = [row for row in rows if len(row) == 6 and is_below(path, row[5])]
        row = max(holding, key=lambda row: len(row[5]), default=None)
        return (int(row[1]), int(row[3])) if row else (0, 0)

    def nearest(self, path: str) -> str:
        """Return the resolved path, or its nearest existing parent; a recorded system has all folders."""
        if self.root != Path("/"):
            return path
        there = Path(path).resolve()
        while not _is_there(there):
            there = there.parent
        return str(there)


def _environment() -> dict[str, str]:
    """Return the environment for programs: English messages, and a PATH with the administrator's programs."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"}


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or is inside it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_there(path: Path) -> bool:
    """Whether the path exists, as far as the caller has permission to see."""
    try:
        return path.exists()
    except PermissionError:
        return False
