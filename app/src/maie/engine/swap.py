"""Speech engine and language model's server in turns, where the memory holds only one of them at a time."""

from __future__ import annotations

from dataclasses import replace

from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine.server_unit import ServerUnit
from maie.engine.supervisor import Engine, Keep, Tick
from maie.logs import get_logger
from maie.settings import Settings

log = get_logger(__name__)


class SwappingEngine(Engine):
    """An engine whose process ends before the server starts; the stages of the language model run in a small one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._server = ServerUnit(settings)
        self._reader = Engine(settings, hears=False)

    def start(self, tick: Tick | None = None, small: bool = False) -> None:
        """Start the process; a server that an earlier worker has left is stopped before."""
        if not self.ready:
            self._server.stop()
        super().start(tick, small)

    def run(self, job: EngineJob, tick: Tick, keep: Keep | None = None) -> TaskResult:
        """Run one job: recognition first, then, without this process, what the language model has to do.

        Raises:
            MaieError: As :meth:`Engine.run`.
        """
        asked = job.options.llm_stages
        if not asked:
            return super().run(job, tick, keep)
        begun: TaskResult | None = None
        if job.kind == "audio":
            begun = super().run(replace(job, options=_without_llm(job.options)), tick, keep)
            if keep is not None:
                keep(begun)
        self.stop()
        self.asleep = True  # not missing: its turn comes again
        log.info("the language model's server takes the place of the speech engine")
        tick(Progress(asked[0], 0.0))
        try:
            with self._server.running(lambda: tick(None)):
                return self._reader.run(replace(job, begun=begun), tick, keep)
        finally:
            self._reader.stop()
            self.asleep = False


def _without_llm(options: TaskOptions) -> TaskOptions:
    """Return the options with nothing for the language model to do."""
    of_llm = {"clean_transcript", "enhancement_metrics", "summary"}
    return replace(options, features=tuple(feature for feature in options.features if feature not in of_llm))


def engine_for(settings: Settings) -> Engine:
    """Return the engine that suits where the language model lives."""
    return SwappingEngine(settings) if settings.llm_residency == "swap" else Engine(settings)
