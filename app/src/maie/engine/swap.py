"""The engine process and the language model's server in turns, where memory holds only one of them at a time."""

from __future__ import annotations

from maie.domain import EngineJob, Progress, TaskResult
from maie.engine.process import Engine, OnInterim, Tick
from maie.engine.server_unit import ServerUnit
from maie.logs import get_logger
from maie.pipeline import table
from maie.settings import Settings

log = get_logger(__name__)


class SwappingEngine(Engine):
    """An engine whose process ends before the server starts; a small process then runs the language model's stages.

    The server stays for the jobs that follow, until :meth:`start` brings the engine process back.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._server = ServerUnit(settings)
        self._reader = Engine(settings, speech=False)

    def start(self, tick: Tick | None = None, small: bool = False) -> None:
        """Start the process. The server is stopped first, even one that an earlier worker has left behind."""
        if not self.ready:
            self._server.stop(lambda: tick(None) if tick else None)
            self.serving = False
        super().start(tick, small)

    def run(self, job: EngineJob, tick: Tick, on_interim: OnInterim | None = None) -> TaskResult:
        """Run a job for one of the two: recognition; or the language model's stages, of text or of what has ``begun``.

        Raises:
            MaieError: As :meth:`Engine.run`.
        """
        asked = table.asked(job.options, "language_model")
        if not asked:
            return super().run(job, tick, on_interim)
        if not self.serving:
            log.info("the language model's server takes the place of the speech engine")
            super().stop()
            self.asleep = self.serving = True  # neither is missing: the engine's turn comes again
        tick(Progress(asked[0], 0.0))
        self._server.start(lambda: tick(None))
        try:
            return self._reader.run(job, tick, on_interim)
        finally:
            self._reader.stop()

    def stop(self) -> None:
        """End the process, or the server that took its place."""
        super().stop()
        if self.serving:
            self._server.stop(lambda: None)
            self.serving = False


def engine_for(settings: Settings) -> Engine:
    """Return the engine for the setting ``llm_residency``."""
    return SwappingEngine(settings) if settings.llm_residency == "swap" else Engine(settings)
