"""A double of root's path units and of the server's unit, as a process: does what the files in a folder ask for.

Called with the folder, a port, and the seconds that the server takes to start. It writes what happened into ``events``
there: ``start``, ``stop``, and ``clash`` where an engine process held the GPU when the server started. While there is a
file ``broken``, no server starts.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from support.llm_server import LlmServer


class PathUnits:
    """The units and their server."""

    def __init__(self, folder: Path, port: int, start_seconds: float) -> None:
        self._folder, self._port, self._start_seconds = folder, port, start_seconds
        self._server: LlmServer | None = None
        self._lease = -1

    def look(self) -> None:
        """Do once what the files ask for."""
        wanted, unwanted = self._folder / "llm-wanted", self._folder / "llm-unwanted"
        if wanted.exists() and self._server is None and not (self._folder / "broken").exists():
            self._start()
        if unwanted.exists():
            self._stop()
            unwanted.unlink()

    def _start(self) -> None:
        self._lease = os.open(self._folder / "gpu.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._tell("clash")
        time.sleep(self._start_seconds)
        self._server = LlmServer(port=self._port)
        self._server.__enter__()
        self._tell("start")

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            os.close(self._lease)
            self._server = None
            self._tell("stop")

    def _tell(self, event: str) -> None:
        with (self._folder / "events").open("a") as file:
            file.write(f"{event}\n")


if __name__ == "__main__":
    units = PathUnits(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    while True:
        units.look()
        time.sleep(0.05)
