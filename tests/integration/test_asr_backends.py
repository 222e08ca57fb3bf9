"""What a request can tell the recogniser, with each engine: Whisper tiny.en here, and behind a speech server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.errors import AsrUnavailable
from maie.settings import PROFILES, Settings
from support.asr_server import AsrServer, whisper
from support.audiofiles import MODEL, SAMPLE, reference_text
from support.word_errors import wrong_words

OPTIONS = TaskOptions(language="en", initial_prompt="Maya, William <|endoftext|><|notimestamps|>", word_timestamps=True)


@pytest.fixture(scope="module")
def server() -> Iterator[AsrServer]:
    with AsrServer(whisper()) as server:
        yield server


@pytest.fixture(scope="module", params=["faster_whisper", "openai"])
def engine(request: pytest.FixtureRequest, server: AsrServer) -> Iterator[Engine]:
    given = {**PROFILES["embedded"], "asr_model": MODEL if request.param == "faster_whisper" else Path("unused")}
    engine = Engine(Settings(profile="embedded", asr_backend=request.param, asr_url=server.url, **given))
    engine.start()
    yield engine
    engine.stop()


def hear(engine: Engine, options: TaskOptions) -> TaskResult:
    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    return engine.run(EngineJob("task", SAMPLE, options), tick)


def test_words_have_times_and_control_tokens_no_effect(engine: Engine) -> None:
    result = hear(engine, OPTIONS)
    assert wrong_words(reference_text(), result.transcript.text) <= 0.1
    for segment in result.transcript.segments:
        words = segment.words or ()
        assert "".join(word.text for word in words).replace(" ", "") == segment.text.replace(" ", "")
        assert all(segment.start <= word.start <= word.end <= segment.end for word in words)
        assert all(a.end <= b.start for a, b in pairwise(words))
    assert result.warnings == ()


def test_without_being_asked_for_there_are_no_words(engine: Engine) -> None:
    result = hear(engine, TaskOptions())
    assert wrong_words(reference_text(), result.transcript.text) <= 0.1
    assert {segment.words for segment in result.transcript.segments} == {None}


def test_a_server_that_fails_costs_the_task_and_not_the_engine(server: AsrServer) -> None:
    engine = Engine(Settings(profile="embedded", asr_model=MODEL, asr_backend="openai", asr_url=server.url))
    try:
        engine.start()
        process = engine.pid
        server.behaviours = ["refused", "ok"]
        with pytest.raises(AsrUnavailable, match="HTTP 400"):
            hear(engine, TaskOptions())
        assert hear(engine, TaskOptions()).transcript.text
        assert engine.pid == process
    finally:
        engine.stop()
