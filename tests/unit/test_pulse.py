"""What counts as a sign of life of an engine process depends on who does the work."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from maie.domain import Progress, Stage
from maie.engine import pulse as pulses
from maie.engine.messages import Alive
from maie.engine.pulse import Pulse
from maie.pipeline import table
from maie.settings import Settings
from support.audiofiles import MODEL


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time, and the processor time that the process has had."""
    clock = SimpleNamespace(now=1000.0, used=50.0)
    monkeypatch.setattr(pulses, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(pulses, "cpu_seconds", lambda _: clock.used)
    return clock


def pulse(stage: Stage, **settings: Any) -> Pulse:
    made = Pulse(Settings(profile="embedded", asr_model=MODEL, engine_stall_seconds=100, **settings), 1)
    made.note(Progress(stage, 0.0))
    return made


GPU = {"asr_device": "cuda", "llm_backend": "ctranslate2", "llm_device": "cuda"}
SERVERS = {"asr_backend": "openai", "llm_backend": "openai", "asr_device": "cuda", "llm_device": "cuda"}


@pytest.mark.parametrize("stage", [table.ASR, table.CLEAN])
@pytest.mark.parametrize(
    ("settings", "busy", "beats", "gone"),
    [
        ({}, False, True, True),
        ({}, True, False, False),
        (GPU, True, True, True),
        (SERVERS, False, True, False),
        (SERVERS, True, False, True),
    ],
    ids=["processors, idle", "processors, busy", "GPU", "server", "server, stopped"],
)
def test_signs_of_life(
    settings: dict[str, Any], busy: bool, beats: bool, gone: bool, stage: Stage, clock: SimpleNamespace
) -> None:
    watched = pulse(stage, **settings)
    seen = False
    for _ in range(300):
        clock.now += 1
        clock.used += 0.5 * busy
        if beats and clock.now % 25 == 0:
            watched.note(Alive())
        seen = seen or watched.is_gone()
    assert seen is gone


@pytest.mark.parametrize("stage", [table.DECODE, table.VAD])
def test_what_comes_before_recognition_is_done_by_processors(stage: Stage, clock: SimpleNamespace) -> None:
    watched = pulse(stage, **GPU)
    clock.now, clock.used = clock.now + 500, clock.used + 400
    assert not watched.is_gone()


def test_progress_is_a_sign_whoever_works(clock: SimpleNamespace) -> None:
    watched = pulse(table.ASR, **GPU)
    for _ in range(10):
        clock.now += 99
        assert not watched.is_gone()
        watched.note(Progress(table.ASR, 0.5))
    clock.now += 100
    assert watched.is_gone()
