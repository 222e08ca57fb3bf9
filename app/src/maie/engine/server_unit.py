"""The language model's server as a systemd unit, the only one that the worker may have started and stopped.

The worker may not talk to systemd. It makes one of two files in ``run_dir``, for which root's path units
wait (``maie-llm.path``, ``maie-llm-stop.path``).

The file ``gpu.lock`` is the device's lease on the GPU: the engine process and the server's first process each hold a
lock on it as long as they live. The server's other processes are spawned without its descriptors, so they hold none;
when the first crashes they live on for a while, with their memory on the GPU. So whoever wants the lease also looks at
the processes in the control group of the server's unit.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from maie.llm.local_server import FAILED, why_given_up
from maie.llm.ready import one_token
from maie.logs import get_logger
from maie.settings import Settings

SLICE, UNIT = "system.slice", "maie-llm.service"
WANTED, UNWANTED, LEASE = "llm-wanted", "llm-unwanted", "gpu.lock"

CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
"""Where the kernel shows control groups: in one tree (JetPack 6), or in several beside each other."""

POLL_SECONDS = 0.4
STOP_SECONDS = 60.0
"""Time for the server to end; systemd kills it after 30."""

NOTICE_SECONDS = 5.0
"""Time in which root's path unit reacts to a file; if it doesn't, it was stopped together with the server."""

PROBE_SECONDS = 60.0
"""Time in which a running server gives one token, even if it must first finish reading a cancelled prompt."""

log = get_logger(__name__)


def take_lease(run_dir: Path) -> int:
    """Wait until nobody holds the GPU, then hold it as long as this process lives; return the file's descriptor."""
    descriptor = os.open(run_dir / LEASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not server_lives():
            return descriptor
        # Released meanwhile, since one of those processes may be the unit's next server, waiting for it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(POLL_SECONDS)


def server_lives() -> bool:
    """Whether any process of the server's unit is left, whatever became of the first one."""
    return any(_text(group / "cgroup.procs").strip() for group in _groups())


def _groups() -> Iterator[Path]:
    """Yield where the control group of the server's unit may be: in any group above this process.

    That runs in a unit beside the server's, or in somebody's login session.
    """
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers in ("", "name=systemd"):
            around = [Path(own.lstrip("/")), *Path(own.lstrip("/")).parents]
            yield from (root / group / SLICE / UNIT for root in CGROUPS for group in around)


def _text(path: Path) -> str:
    """Return what a file holds; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def is_free(run_dir: Path) -> bool:
    """Whether nobody holds the GPU."""
    if server_lives():
        return False
    descriptor = os.open(run_dir / LEASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


class ServerUnit:
    """Starts and stops the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.run_dir
        seconds = min(settings.llm_timeout_seconds, PROBE_SECONDS)
        self._probe = settings.model_copy(update={"llm_timeout_seconds": seconds})

    def start(self, tick: Callable[[], None]) -> None:
        """Start the server and wait for its first token; one that runs but does not answer is restarted.

        A server whose starts fail is not waited for: who asks it then finds out whether it answers after all.

        Args:
            tick: Called while waiting; what it raises ends the wait.
        """
        if self._answers(tick):
            return
        self.stop(tick)
        for stale in (UNWANTED, FAILED):
            (self._folder / stale).unlink(missing_ok=True)
        (self._folder / WANTED).touch()

        def answers_or_fails() -> bool:
            if reason := why_given_up(self._folder):
                log.error(reason)
            return reason is not None or self._answers(tick)

        self._wait(answers_or_fails, self._settings.llm_start_seconds, tick, "start")

    def stop(self, tick: Callable[[], None]) -> None:
        """Stop the server and wait until all its processes have ended; ``tick`` as for :meth:`start`.

        A free lease is not enough: a server that was asked for may be about to start, and takes it only then.
        """
        wanted, unwanted = self._folder / WANTED, self._folder / UNWANTED
        if not wanted.exists() and is_free(self._folder):
            return
        wanted.unlink(missing_ok=True)
        unwanted.touch()
        noticed = time.monotonic() + NOTICE_SECONDS

        def ended() -> bool:
            return is_free(self._folder) and (not unwanted.exists() or time.monotonic() >= noticed)

        self._wait(ended, STOP_SECONDS, tick, "stop")
        unwanted.unlink(missing_ok=True)

    def _answers(self, tick: Callable[[], None]) -> bool:
        """Ask for one token, in a thread: an answer may take longer than the caller may go without a sign of life."""
        pool = ThreadPoolExecutor(1)
        try:
            asked = pool.submit(one_token, self._probe)
            while not wait([asked], POLL_SECONDS).done:
                tick()
            return asked.result() is None
        finally:
            pool.shutdown(wait=False)

    def _wait(self, done: Callable[[], bool], seconds: float, tick: Callable[[], None], what: str) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= end:
                log.error("the language model's server took too long", what=what, seconds=seconds)
                return
            tick()
            time.sleep(POLL_SECONDS)
