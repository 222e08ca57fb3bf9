"""The parent's side of the engine process: starts it, gives it jobs, ends it, and says why it ended."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from maie.domain import EngineJob, Progress, TaskResult
from maie.engine.messages import Failed, FromChild, Interim, Ready
from maie.engine.pulse import Pulse
from maie.engine.upkeep import Due, Upkeep
from maie.errors import EngineFailed, EngineOutOfMemory, MaieError
from maie.logs import get_logger
from maie.settings import Settings

log = get_logger(__name__)

Tick = Callable[[Progress | None], None]
"""Called with each progress, and with None at least every half second. What it raises ends the job."""

OnInterim = Callable[[TaskResult], None]
"""Called with the result so far, which remains if the process ends in the middle of its job."""

TICK_SECONDS = 0.4
STOP_SECONDS = 2.0
"""Time for an idle engine process to end by itself."""


class Engine:
    """One engine process at a time: started when there is none, and used as long as it is sound.

    Not for use by several threads at once.

    Args:
        speech: Whether the process loads the speech model; without it, stages that need that can't run.

    Attributes:
        asleep: The process has ended because nobody needed it; the next job starts it.
        serving: The language model's server has its memory now (:mod:`maie.engine.swap`).
    """

    def __init__(self, settings: Settings, speech: bool = True) -> None:
        self._settings = settings
        self._speech = speech
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._loaded: Ready | None = None
        self._oom_kills = 0
        self._upkeep = Upkeep(settings, None)
        self._is_small = False
        self.asleep = False
        self.serving = False
        # multiprocessing's own exit handler waits for the child, which ignores its SIGTERM: end it before.
        atexit.register(self._kill)

    @property
    def ready(self) -> bool:
        """Whether the process lives and its models are loaded."""
        return self._loaded is not None and self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return self._process.pid if self._process is not None else None

    @property
    def versions(self) -> dict[str, object]:
        """Names and versions of what is loaded; empty before the first start."""
        return dict(self._loaded.versions) if self._loaded else {}

    def start(self, tick: Tick | None = None, small: bool = False) -> None:
        """Start the process and wait until its models are loaded; does nothing when they are.

        Args:
            tick: Called while waiting.
            small: Whether it recognises half as much at a time.

        Raises:
            ConfigurationError: The models can't be loaded as they are configured.
            EngineFailed: The process ended, or was not ready within ``engine_start_seconds``.
            BaseException: Whatever ``tick`` raised; the process is ended before.
        """
        if self.ready:
            return
        self._kill()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._oom_kills = _kernel_oom_kills()
        self.asleep, self._is_small = False, small
        settings = smaller(self._settings) if small else self._settings
        self._process = context.Process(target=_child, args=(theirs, settings, self._speech), name="maie-engine")
        self._process.daemon = True
        self._process.start()
        theirs.close()
        seconds = self._settings.engine_start_seconds
        deadline = time.monotonic() + seconds
        message = self._receive(tick or _ignore, lambda: time.monotonic() >= deadline, "was not ready in time", seconds)
        if not isinstance(message, Ready):
            self._kill()
            raise EngineFailed("The speech engine spoke out of turn.")
        self._loaded = message
        self._upkeep = Upkeep(self._settings, self.pid)
        log.info("engine process is ready", pid=self.pid, seconds=message.load_seconds)

    def run(self, job: EngineJob, tick: Tick, on_interim: OnInterim | None = None) -> TaskResult:
        """Run one job, starting the process where there is none. If memory runs out, try once more with half the batch.

        Raises:
            MaieError: What a stage raised; the process goes on.
            EngineFailed, EngineOutOfMemory: The process ended, or hung and was ended; the next call starts another.
            BaseException: Whatever ``tick`` raised; the process is ended before.
        """
        self.start(tick)
        try:
            return self._attempt(job, tick, on_interim)
        except EngineOutOfMemory:
            if self._is_small or smaller(self._settings) == self._settings:
                raise
            log.warning("memory was too small; once more with half as much at a time")
        self.start(tick, small=True)
        return self._attempt(job, tick, on_interim)

    def _attempt(self, job: EngineJob, tick: Tick, on_interim: OnInterim | None) -> TaskResult:
        if self._pipe is None:
            raise EngineFailed
        try:
            self._pipe.send(job)
        except OSError as error:
            raise self._death() from error
        pulse = Pulse(self._settings, self.pid)
        while True:
            message = self._receive(tick, pulse.is_gone, "stopped making progress and was ended")
            pulse.note(message)
            if isinstance(message, TaskResult):
                self._upkeep.worked()
                return message
            if isinstance(message, Interim) and on_interim is not None:
                on_interim(message.result)
            if isinstance(message, Progress):
                self._guarded(tick, message)

    def tend(self) -> None:
        """End a process that is due, between two jobs. One that was only idle is not started again."""
        if not self.ready:
            return
        due = self._upkeep.due()
        if due is None and not self._is_small:
            return
        log.info("engine process ends", pid=self.pid, reason=due.value if due else "it works with less at a time")
        self.stop()
        self.asleep = due is Due.IDLE

    def stop(self) -> None:
        """End the process: an idle one by asking, one at work by SIGKILL."""
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            try:
                self._pipe.send(None)
            except OSError:
                log.info("engine process has closed its pipe already")
            self._process.join(STOP_SECONDS)
        self._kill()

    def _receive(
        self, tick: Tick, is_late: Callable[[], bool], complaint: str, often: float = TICK_SECONDS
    ) -> FromChild:
        """Wait for one message, ticking. Raises what a failure, the tick, the process' end or a delay amounts to."""
        if self._pipe is None:
            raise EngineFailed
        while not self._pipe.poll(min(often, TICK_SECONDS)):
            self._guarded(tick, None)
            if is_late():
                log.error(f"engine process {complaint}", pid=self.pid)
                self._kill()
                raise EngineFailed(f"The speech engine {complaint}.")
        try:
            message: FromChild = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if isinstance(message, Failed):
            if message.fatal or self._loaded is None:
                self._kill()
            raise message.error
        return message

    def _guarded(self, tick: Tick, progress: Progress | None) -> None:
        """Call ``tick``; what it raises ends the process first, because a C call can't be interrupted otherwise."""
        try:
            tick(progress)
        except BaseException:
            self._kill()
            raise

    def _death(self) -> MaieError:
        """Clean up after a process that ended by itself, and return why it did."""
        process = self._process
        if process is not None:
            process.join(STOP_SECONDS)
        code = process.exitcode if process is not None else None
        self._kill()
        log.error("engine process ended in the middle of its work", exit_code=code)
        if code == -signal.SIGKILL and _kernel_oom_kills() > self._oom_kills:
            return EngineOutOfMemory()
        return EngineFailed()

    def _kill(self) -> None:
        """End the process at once and forget it; does nothing where there is none."""
        process, self._process, self._loaded = self._process, None, None
        if process is not None:
            process.kill()
            process.join()
            process.close()
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def smaller(settings: Settings) -> Settings:
    """Return the settings with half the batch, or the same where it is 1."""
    return settings.model_copy(update={"asr_batch_size": max(1, settings.asr_batch_size // 2)})


def _child(pipe: Connection, settings: Settings, speech: bool) -> None:
    """Enter the engine process; its heavy imports stay out of the parent."""
    from maie.engine.child import main

    main(pipe, settings, speech)


def _ignore(_: Progress | None) -> None:
    """Tick for a caller that does not care."""


def _kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since boot; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
