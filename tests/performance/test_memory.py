"""Memory of the engine process, which must not grow with the length of the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from maie.domain import EngineJob, Progress, TaskOptions
from maie.engine import Engine
from maie.settings import Settings
from support.audiofiles import MODEL, encode, sample
from support.stack import Figure

MAX_GROWTH_MIB = 600


def peak_mib(seconds: int, folder: Path) -> float:
    """Peak resident memory of a fresh engine process that transcribes so many seconds of speech."""
    speech = np.tile(sample(), 1 + seconds * 16_000 // len(sample()))[: seconds * 16_000]
    path = encode(folder / f"{seconds}.flac", speech, 16_000, "flac")

    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    engine = Engine(Settings(profile="embedded", asr_model=MODEL))
    try:
        engine.start()
        engine.run(EngineJob("task", path, TaskOptions()), tick)
        status = Path(f"/proc/{engine.pid}/status").read_text()
    finally:
        engine.stop()
    row = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(row.split()[1]) / 1024


def test_half_an_hour_needs_hardly_more_than_a_minute(tmp_path: Path, figure: Figure) -> None:
    short, long = peak_mib(60, tmp_path), peak_mib(1800, tmp_path)
    figure(f"engine's peak memory: {short:.0f} MiB for 1 minute, {long:.0f} MiB for 30 minutes")
    assert long - short < MAX_GROWTH_MIB
