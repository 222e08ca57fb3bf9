"""The client of a speech server: what it sends, what it makes of answers, and of a server that fails."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maie import asr, httpclient
from maie.asr.base import Recognition, RecognitionRequest
from maie.domain import Word
from maie.errors import AsrTimeout, AsrUnavailable, ConfigurationError, MaieError
from maie.settings import Settings
from support.asr_server import AsrServer, Behaviour
from support.audiofiles import sample

PIECE = sample()[: 5 * 16_000]
SEGMENT = {"id": 0, "start": 0.5, "end": 2.0, "text": " Hello  you.", "avg_logprob": -0.3, "no_speech_prob": 0.01}
ANSWER = {"task": "transcribe", "language": "English", "duration": 5.0, "text": "Hello you.", "segments": [SEGMENT]}


def recogniser(url: str, **settings: Any) -> asr.Recogniser:
    given = {"profile": "embedded", "asr_model": Path("unused"), "asr_backend": "openai", "asr_url": url}
    return asr.load(Settings(**{**given, "asr_timeout_seconds": 5, **settings}))


def hear(answer: Any, ask: RecognitionRequest = RecognitionRequest()) -> Recognition:  # noqa: B008 - it is frozen
    with AsrServer(lambda *_: answer) as server:
        (heard,) = recogniser(server.url, asr_retries=0).recognise([PIECE], ask)
        return heard


def test_a_request_holds_the_sound_and_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "asr_key").write_text("secret\n")
    with AsrServer(lambda *_: ANSWER) as server:
        client = recogniser(server.url, credentials_dir=tmp_path, asr_model_name="large")
        client.recognise([PIECE, PIECE[:8000]], RecognitionRequest("en", None, "Maya, Wren", True))
        client.recognise_again(PIECE, RecognitionRequest())
    first, second, again = server.requests
    assert first.path == "/v1/audio/transcriptions"
    assert first.headers["Authorization"] == "Bearer secret"
    common = {"model": ["large"], "response_format": ["verbose_json"]}
    asked = {"language": ["en"], "prompt": ["Maya, Wren"], "timestamp_granularities[]": ["segment", "word"]}
    assert first.fields == {**common, **asked, "temperature": ["0.0"]}
    assert again.fields == {**common, "timestamp_granularities[]": ["segment"], "temperature": ["0.4"]}
    assert np.abs(first.samples - PIECE).max() < 1e-4
    assert len(second.samples) == 8000


def test_an_answer_becomes_segments() -> None:
    heard = hear(ANSWER)
    (segment,) = heard.segments
    assert (segment.start, segment.end, segment.text, segment.words) == (0.5, 2.0, "Hello you.", None)
    assert (segment.avg_logprob, segment.no_speech_prob) == (-0.3, 0.01)
    assert segment.compression_ratio < 1
    assert heard.language == "english"
    assert hear(ANSWER, RecognitionRequest("en")).language == "en"


def test_a_server_that_tells_only_the_text_is_understood() -> None:
    (segment,) = hear({"text": "Hello you."}).segments
    assert (segment.start, segment.end, segment.text) == (0.0, 5.0, "Hello you.")
    assert (segment.avg_logprob, segment.no_speech_prob) == (None, None)
    assert hear({"text": ""}).segments == hear({**ANSWER, "segments": []}).segments == ()


def test_words_are_taken_from_beside_the_segments_or_from_within() -> None:
    told = [
        {"word": " Hello", "start": 0.5, "end": 1.0},
        {"word": "you.", "start": 1.1, "end": 9.0, "probability": 0.7},
    ]
    words = (Word(0.5, 1.0, "Hello", None), Word(1.1, 5.0, "you.", 0.7))
    for answer in ({**ANSWER, "words": told}, {**ANSWER, "segments": [{**SEGMENT, "words": told}]}):
        (segment,) = hear(answer, RecognitionRequest("en", words=True)).segments
        assert segment.words == words
        assert hear(answer, RecognitionRequest("en")).segments[0].words is None


def test_words_go_to_the_segment_in_which_they_begin() -> None:
    segments = [{"start": 0, "end": 1, "text": "a"}, {"start": 1, "end": 2, "text": "b c"}]
    words = [{"word": word, "start": start, "end": start} for word, start in (("a", 0.9), ("b", 1.0), ("c", 3.0))]
    heard = hear({"segments": segments, "words": words}, RecognitionRequest("en", words=True))
    assert [[word.text for word in segment.words or ()] for segment in heard.segments] == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "text",
        {},
        {"segments": [{}]},
        {"segments": [{"text": 5}]},
        {"segments": 5},
        {"segments": [{**SEGMENT, "start": float("nan")}]},
        {"segments": [{**SEGMENT, "start": 10**400}]},
        {"segments": [{**SEGMENT, "avg_logprob": "x"}]},
        {**ANSWER, "language": "half a character: \ud83d"},
    ],
)
def test_what_is_no_transcription_is_refused(answer: Any) -> None:
    with pytest.raises(AsrUnavailable):
        hear(answer)


def test_numbers_out_of_range_are_brought_back() -> None:
    wild = {**SEGMENT, "start": -5, "end": 1e9, "avg_logprob": 1e9, "no_speech_prob": 7}
    (segment,) = hear({"segments": [wild]}).segments
    assert (segment.start, segment.end, segment.avg_logprob, segment.no_speech_prob) == (0.0, 5.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("behaviour", "error", "requests"),
    [
        ("error", AsrUnavailable, 3),
        ("busy", AsrUnavailable, 3),
        ("garbage", AsrUnavailable, 3),
        ("dies", AsrUnavailable, 3),
        ("refused", AsrUnavailable, 1),
        ("endless", AsrUnavailable, 1),
        ("silent", AsrTimeout, 1),
        ("trickle", AsrTimeout, 1),
    ],
)
def test_a_server_that_fails_ends_in_time(
    behaviour: Behaviour, error: type[MaieError], requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpclient, "PAUSE_SECONDS", 0.05)
    with AsrServer(lambda *_: ANSWER, [behaviour]) as server:
        client = recogniser(server.url, asr_timeout_seconds=1.5)
        began = time.monotonic()
        with pytest.raises(error) as caught:
            client.recognise([PIECE], RecognitionRequest())
        assert time.monotonic() - began < 5
    assert not caught.value.retryable
    assert len(server.requests) == requests


def test_a_failure_that_passes_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpclient, "PAUSE_SECONDS", 0.05)
    with AsrServer(lambda *_: ANSWER, ["error", "dies", "ok"]) as server:
        (heard,) = recogniser(server.url).recognise([PIECE], RecognitionRequest())
    assert heard.segments[0].text == "Hello you."


def test_no_server_is_unavailable() -> None:
    with AsrServer(lambda *_: ANSWER) as server:
        pass
    with pytest.raises(AsrUnavailable):
        recogniser(server.url, asr_retries=0).recognise([PIECE], RecognitionRequest())


def test_an_address_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="MAIE_ASR_URL"):
        recogniser("localhost:8002")
