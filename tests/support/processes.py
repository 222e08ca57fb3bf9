"""Processes that tests start, watch and kill, as systemd would."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
SERVERS_PORTS = 15_000, 32_000


def _die_with_parent() -> None:
    """Leave no process behind, even when the tests are killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(check: Callable[[], Any], seconds: float, what: str, interval: float = 0.05) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {seconds} s")


def rss(pid: int) -> int:
    """Resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Process:
    """A process in a session of its own, so that it and its children can be killed together like a systemd unit."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        with log.open("ab") as stream:
            self.popen = subprocess.Popen(
                command,
                env=env,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def children(self) -> list[int]:
        """Process ids of the direct children of the main process."""
        text = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def kill(self) -> None:
        """SIGKILL for the whole unit."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.popen.wait()

    def terminate(self, seconds: float = 30.0) -> int:
        """SIGTERM for the main process alone (KillMode=mixed); its exit status."""
        self.popen.terminate()
        status = self.popen.wait(seconds)
        self.kill()
        return status


class Unit:
    """Starts a process again whenever it ends, as systemd does with Restart=always."""

    def __init__(self, start: Callable[[], Process], restart_seconds: float = 0.5) -> None:
        self._start = start
        self._restart_seconds = restart_seconds
        self._stopping = threading.Event()
        self.starts = 1
        self.process = start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopping.wait(0.05):
            if not self.process.alive:
                self.process.kill()
                if self._stopping.wait(self._restart_seconds):
                    return
                self.process = self._start()
                self.starts += 1

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.process.kill()


def free_port() -> int:
    """Return a port that is free, and not one of those that connections are given, which one could take meanwhile."""
    while True:
        port = random.SystemRandom().randrange(*SERVERS_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
