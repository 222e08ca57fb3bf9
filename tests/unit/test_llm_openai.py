"""The client of an OpenAI-compatible server: what it sends, and what it makes of a server that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from maie import httpclient
from maie.domain import Turn
from maie.errors import (
    ConfigurationError,
    LlmAnswerInvalid,
    LlmFailed,
    LlmInputTooLong,
    LlmTimeout,
    LlmUnavailable,
)
from maie.llm import load, openai, transport
from maie.llm.base import Chat
from maie.llm.breaker import Breaker
from maie.prompting.prompts import messages
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.settings import Settings
from maie.stages.clean import clean
from maie.stages.summary import summarise
from support.llm_server import Behaviour, LlmServer, model_of

CLEAN = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
NOTES = load_template(BUILT_IN / "meeting_notes_v1")
TURNS = [Turn("Igor", "Yuki approved the release report."), Turn("Maya", "Okay. I will remind Redstone Media.")]
CHAT = Chat(tuple(messages(CLEAN, TURNS)), 100)

MESSAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["role", "content"],
        "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": {"type": "string"}},
    },
}
# What both vLLM 0.11 and 0.20 know. They let unknown fields pass without a word, so a test has to be stricter.
CHAT_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "messages", "max_tokens", "temperature", "top_p", "seed", "stream", "stream_options"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "messages": MESSAGES,
        "max_tokens": {"type": "integer", "minimum": 1},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "seed": {"type": "integer"},
        "stream": {"const": True},
        "stream_options": {"const": {"include_usage": True}},
        "logprobs": {"type": "boolean"},
        "response_format": {
            "type": "object",
            "additionalProperties": False,
            "required": ["type", "json_schema"],
            "properties": {
                "type": {"const": "json_schema"},
                "json_schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "schema"],
                    "properties": {"name": {"type": "string"}, "schema": {"type": "object"}},
                },
            },
        },
    },
}
COUNT_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "messages", "add_generation_prompt"],
    "properties": {"model": {"type": "string"}, "messages": MESSAGES, "add_generation_prompt": {"const": True}},
}
BODIES = {"/v1/chat/completions": CHAT_BODY, "/tokenize": COUNT_BODY}


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and limits that a test can wait for."""
    monkeypatch.setattr(httpclient, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.5)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


def ignore(_: object) -> None:
    """Take a progress report."""


def summary(server: LlmServer, **settings: Any) -> object:
    return summarise(TURNS, model_of(server, **settings), NOTES, ignore)


def clean_transcript(server: LlmServer, **settings: Any) -> object:
    return clean(TURNS, model_of(server, **settings), CLEAN, ignore)


def test_all_bodies_are_known_to_vllm_0_11_and_0_20(server: LlmServer) -> None:
    clean_transcript(server)
    summary(server)
    assert {request.path for request in server.requests} == set(BODIES)
    for request in server.requests:
        Draft202012Validator(BODIES[request.path]).validate(request.body)
    model_of(server).reply(Chat(CHAT.messages, 100, tells_tokens=True), ignore)
    plain, structured, telling = server.chats
    Draft202012Validator(CHAT_BODY).validate(telling)
    assert "response_format" not in plain
    assert structured["response_format"]["json_schema"]["schema"] == NOTES.schema


def test_all_that_is_asked_of_a_transcript_begins_alike(server: LlmServer) -> None:
    clean_transcript(server)
    summary(server)
    starts = [body["messages"][-1]["content"].partition("</transcript>")[0] for body in server.chats]
    assert starts[0] == starts[1]
    assert server.chats[0]["messages"][0] == server.chats[1]["messages"][0]


def test_a_reply_is_read_while_it_is_written(server: LlmServer) -> None:
    seen: list[int] = []
    reply = model_of(server).reply(CHAT, seen.append)
    assert reply.text == "Igor: Yuki approved the release report.\nMaya: Okay. I will remind Redstone Media."
    assert not reply.truncated
    assert reply.prompt_tokens > 50
    assert reply.reply_tokens == len(reply.text.split(" "))
    assert seen == sorted(seen)
    assert len(seen) > 5


def test_a_reply_that_was_cut_is_called_so(server: LlmServer) -> None:
    server.behaviours = ["cut"]
    assert model_of(server).reply(CHAT, ignore).truncated


def test_the_key_is_a_credential(server: LlmServer, tmp_path: Path) -> None:
    (tmp_path / "llm_key").write_text("secret\n")
    model_of(server, credentials_dir=tmp_path).reply(CHAT, ignore)
    model_of(server, credentials_dir=tmp_path / "none").reply(CHAT, ignore)
    assert [request.headers.get("Authorization") for request in server.requests] == ["Bearer secret", None]


@pytest.mark.parametrize("key", [b"secret\nother", b"se cret", b"\xff\xfe", "ключ".encode()])
def test_a_key_that_no_header_can_hold_is_refused_and_not_told(server: LlmServer, tmp_path: Path, key: bytes) -> None:
    (tmp_path / "llm_key").write_bytes(key)
    with pytest.raises(ConfigurationError, match="not one line") as caught:
        model_of(server, credentials_dir=tmp_path)
    assert "secret" not in caught.value.detail


def test_half_a_character_does_not_come_through(server: LlmServer) -> None:
    server.answer = lambda _: "smile \ud83d here \U0001f642"
    assert model_of(server).reply(CHAT, ignore).text == "smile \ufffd here \U0001f642"


def test_the_server_may_have_a_smaller_context(server: LlmServer) -> None:
    server.context = 2048
    model = model_of(server, llm_context_tokens=4096)
    assert model.count_tokens(CHAT.messages) > 50
    assert model.context_tokens == 2048


def test_a_server_that_counts_no_tokens_is_asked_once(server: LlmServer) -> None:
    server.tokenize = "missing"
    model = model_of(server)
    counts = [model.count_tokens(CHAT.messages) for _ in range(3)]
    letters = sum(len(message["content"]) for message in CHAT.messages)
    assert letters // 2 < counts[0] == counts[1] == counts[2] < letters
    assert len(server.requests) == 1


@pytest.mark.parametrize("stage", [clean_transcript, summary])
@pytest.mark.parametrize(
    ("behaviour", "error", "requests"),
    [
        ("error", LlmUnavailable, 3),
        ("busy", LlmUnavailable, 3),
        ("garbage", LlmUnavailable, 3),
        ("wrong_shape", LlmUnavailable, 3),
        ("infinite", LlmUnavailable, 3),
        ("deep", LlmUnavailable, 3),
        ("dies", LlmUnavailable, 3),
        ("refused", LlmUnavailable, 1),
        ("slow", LlmTimeout, 1),
        ("trickle", LlmTimeout, 1),
        ("endless", LlmAnswerInvalid, 1),
    ],
)
def test_a_stage_ends_in_time_with_the_right_error(
    server: LlmServer,
    behaviour: Behaviour,
    error: type[LlmFailed],
    requests: int,
    stage: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.behaviours = [behaviour]
    if behaviour == "trickle":
        monkeypatch.setattr(transport, "IDLE_SECONDS", 1.2)
    started = time.monotonic()
    with pytest.raises(error) as raised:
        stage(server, llm_timeout_seconds=1.5 if behaviour == "trickle" else 10)
    assert raised.type is error
    assert time.monotonic() - started < 8
    assert len(server.chats) == requests


@pytest.mark.parametrize("behaviour", ["error", "garbage", "infinite", "deep", "slow"])
def test_a_token_count_that_fails_ends_the_stage_likewise(server: LlmServer, behaviour: Behaviour) -> None:
    server.tokenize = behaviour
    with pytest.raises(LlmTimeout if behaviour == "slow" else LlmUnavailable):
        summary(server)
    assert len(server.requests) == (1 if behaviour == "slow" else 3)
    assert not server.chats


def test_a_server_that_is_down_is_not_waited_for(server: LlmServer) -> None:
    server.stop()
    started = time.monotonic()
    with pytest.raises(LlmUnavailable):
        summary(server)
    assert time.monotonic() - started < 2


def test_the_total_limit_counts_while_headers_come_too(server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "IDLE_SECONDS", 60)
    server.behaviours = ["slow"]
    started = time.monotonic()
    with pytest.raises(LlmTimeout):
        model_of(server, llm_timeout_seconds=0.5).reply(CHAT, ignore)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("behaviours", [["error", "ok"], ["dies", "busy", "ok"]])
def test_a_failure_that_passes_costs_a_retry(server: LlmServer, behaviours: list[Behaviour]) -> None:
    attempts = len(behaviours)
    server.behaviours = behaviours
    assert "Yuki" in model_of(server).reply(CHAT, ignore).text
    assert len(server.chats) == attempts


def test_no_room_for_a_reply_is_no_request(server: LlmServer) -> None:
    with pytest.raises(LlmInputTooLong):
        model_of(server).reply(Chat(CHAT.messages, 0), ignore)
    assert not server.requests


def test_a_server_that_keeps_failing_is_left_alone(server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "BREAKER_SECONDS", 0.3)
    server.behaviours = ["error"]
    model = model_of(server)
    for _ in range(4):
        with pytest.raises(LlmUnavailable):
            model.reply(CHAT, ignore)
    assert len(server.chats) == 6  # two requests, each three times
    time.sleep(0.3)
    with pytest.raises(LlmUnavailable):
        model.reply(CHAT, ignore)
    assert len(server.chats) == 7  # one trial, without a retry
    time.sleep(0.3)
    server.behaviours = ["ok", "error", "ok"]
    assert model.reply(CHAT, ignore).text
    assert model.reply(CHAT, ignore).text
    assert len(server.chats) == 10  # closed again: a retry is allowed


def test_a_breaker_opens_and_closes_by_its_clock() -> None:
    now = 0.0
    breaker = Breaker(2, 10, lambda: now)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert (breaker.is_open, breaker.is_half_open) == (False, False)
    breaker.failed()
    assert (breaker.is_open, breaker.is_half_open) == (True, False)
    now = 10.0
    assert (breaker.is_open, breaker.is_half_open) == (False, True)
    breaker.failed()
    assert breaker.is_open
    now = 20.0
    breaker.succeeded()
    assert (breaker.is_open, breaker.is_half_open) == (False, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("llm_url", "localhost:8001"), ("llm_url", "http+unix:///run/llm.sock/v1"), ("llm_backend", "none")],
)
def test_settings_that_name_no_server_are_refused(name: str, value: str) -> None:
    given = {"profile": "embedded", "asr_model": Path("unused"), "llm_backend": "openai", name: value}
    with pytest.raises(ConfigurationError, match=f"MAIE_{name.upper()}"):
        load(Settings(**given))
