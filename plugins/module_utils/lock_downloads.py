"""Downloads the wheels that a lock names, for a platform that need not be this machine's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

GLIBC = range(5, 36)
"""Minor versions of the C library that a wheel may require: up to Ubuntu 22.04's."""


class DownloadError(Exception):
    """The wheels can't be had; the text says why."""


def split_platform(platform: str) -> tuple[str, int]:
    """Return machine and minor version of Python: ``aarch64-cp310`` → aarch64, 10."""
    machine, _, python = platform.partition("-cp3")
    return machine, int(python)


def machines(machine: str) -> list[str]:
    """Return the platform tags that a machine accepts, the best first: for another one, pip takes them literally."""
    return [
        *(f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)),
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    ]


def download(lock: str, platform: str, folder: Path, arguments: Sequence[str] = ()) -> None:
    """Download the wheels into a folder with pip, which verifies them by the lock's hashes.

    Args:
        lock: Its content.
        platform: Such as ``aarch64-cp310``.
        folder: Where they go; a file that is there already is not downloaded again.
        arguments: More of them for pip.

    Raises:
        DownloadError: pip refused or failed.
    """
    machine, minor = split_platform(platform)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", f"3.{minor}", "--abi", f"cp3{minor}", "--abi", "abi3", "--abi", "none"]
    command += [argument for tag in machines(machine) for argument in ("--platform", tag)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(lock)
        file.flush()
        command += ["--dest", str(folder), "--requirement", file.name, *arguments]
        done = subprocess.run(  # noqa: S603 - the lock and pip's arguments are never a shell's
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise DownloadError(f"The wheels for {platform} can't be fetched: {done.stderr.strip()[-2000:]}")
