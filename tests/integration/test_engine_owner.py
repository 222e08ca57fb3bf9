"""A program that owns an engine process: the process ends with it, whatever its end is."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from support.audiofiles import MODEL, sample, write_wav
from support.processes import is_running, wait_for

OWNER = """
    import sys
    from pathlib import Path
    from maie.domain import EngineJob, TaskOptions
    from maie.engine import Engine
    from maie.logs import configure_logging
    from maie.pipeline import table
    from maie.settings import Settings

    def tick(progress):
        if progress and progress.stage == table.ASR and progress.fraction == 0.0:
            print(engine.pid, flush=True)

    if __name__ == "__main__":
        configure_logging("error", sys.stderr)
        settings = Settings(profile="embedded", asr_model=Path(sys.argv[1]), asr_threads=1, asr_batch_size=20)
        engine = Engine(settings)
        engine.start()
        if len(sys.argv) > 2:
            engine.run(EngineJob("long", Path(sys.argv[2]), TaskOptions()), tick)
        else:
            heavy = {"av", "ctranslate2", "faster_whisper", "numpy", "onnxruntime", "soxr"}
            print(engine.pid, *sorted(heavy & set(sys.modules)), flush=True)
"""


@pytest.fixture
def owner(tmp_path: Path) -> list[str]:
    """The command of a program that owns an engine process."""
    script = tmp_path / "owner.py"
    script.write_text(textwrap.dedent(OWNER))
    return [sys.executable, str(script), str(MODEL)]


def test_the_process_dies_with_its_owner_in_the_middle_of_its_work(owner: list[str], tmp_path: Path) -> None:
    speech = np.tile(sample(), 1 + 600 * 16_000 // len(sample()))[: 600 * 16_000]
    audio = write_wav(tmp_path / "audio", speech)
    with subprocess.Popen([*owner, str(audio)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        time.sleep(0.3)
        assert is_running(pid)
        process.kill()
        wait_for(lambda: not is_running(pid), 5, "the end of the engine process")


def test_an_owner_that_forgets_to_stop_it_ends_all_the_same_and_stays_light(owner: list[str]) -> None:
    run = subprocess.run(owner, stdout=subprocess.PIPE, text=True, timeout=30, check=True)
    pid, *heavy = run.stdout.split()
    assert heavy == []
    assert not is_running(int(pid))
