"""The language model's server on this host: who asks waits while its unit starts it anew, and not when that fails."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from maie import httpclient
from maie.errors import LlmTimeout, LlmUnavailable
from maie.llm import openai
from maie.llm.base import Chat
from maie.llm.local_server import why_given_up
from maie.llm.openai import OpenAiModel
from support.llm_server import LlmServer, model_of

CHAT = Chat(({"role": "user", "content": "What was said."},), 10)
AWAY_SECONDS = 1.0


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """All retries that are not told to wait are over within a few hundredths of a second."""
    monkeypatch.setattr(httpclient, "PAUSE_SECONDS", 0.01)


def model(server: LlmServer, folder: Path, **settings: Any) -> OpenAiModel:
    return model_of(server, **{"llm_model": folder, "run_dir": folder, "credentials_dir": folder, **settings})


def start_later(server: LlmServer) -> threading.Timer:
    timer = threading.Timer(AWAY_SECONDS, server.__enter__)
    timer.start()
    return timer


@pytest.mark.parametrize("ask", ["reply", "count"])
def test_a_server_that_is_started_anew_is_waited_for(tmp_path: Path, ask: str) -> None:
    server = LlmServer(path=str(tmp_path / "llm.sock"))
    with server:
        pass
    (tmp_path / "llm.sock").unlink()
    timer = start_later(server)
    begun = time.monotonic()
    asked = model(server, tmp_path)
    if ask == "reply":
        asked.reply(CHAT, lambda _: None)
    else:
        assert asked.count_tokens(CHAT.messages) > 0
    assert time.monotonic() - begun >= AWAY_SECONDS
    timer.join()
    server.stop()


def test_an_answer_that_broke_off_is_asked_for_again(tmp_path: Path) -> None:
    with LlmServer(path=str(tmp_path / "llm.sock")) as server:
        server.behaviours = ["dies", "ok"]
        assert not model(server, tmp_path).reply(CHAT, lambda _: None).truncated
    assert len(server.chats) == 2


def test_a_request_that_ends_the_server_each_time_is_given_up(tmp_path: Path) -> None:
    with LlmServer(path=str(tmp_path / "llm.sock")) as server:
        server.behaviours = ["dies"]
        with pytest.raises(LlmUnavailable):
            model(server, tmp_path, llm_retries=2).reply(CHAT, lambda _: None)
    assert len(server.chats) == 3


@pytest.mark.parametrize(
    "elsewhere",
    [{"llm_model": None}, {"llm_url": "http://127.0.0.1:9/v1"}, {"run_dir": Path("/run/another")}],
    ids=["model", "port", "socket"],
)
def test_a_server_that_no_unit_of_ours_starts_is_not_waited_for(
    tmp_path: Path, elsewhere: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = LlmServer(path=str(tmp_path / "llm.sock"))
    with server:
        pass
    monkeypatch.setattr(openai, "wait_until_up", lambda *_: pytest.fail("it waits"))
    with pytest.raises(LlmUnavailable):
        model(server, tmp_path, **elsewhere).reply(CHAT, lambda _: None)


def fail_later(folder: Path, times: int) -> None:
    """Do what the unit does when its starts fail, in a thread: one after the other."""

    def fail() -> None:
        for number in range(1, times + 1):
            time.sleep(AWAY_SECONDS)
            (folder / "llm-failed").write_text("oom-kill killed KILL\n" * number)

    threading.Thread(target=fail, daemon=True).start()


def test_starts_that_fail_end_the_waiting_with_the_unit_s_own_reason(tmp_path: Path) -> None:
    server = LlmServer(path=str(tmp_path / "llm.sock"))
    with server:
        pass
    fail_later(tmp_path, 2)
    begun = time.monotonic()
    with pytest.raises(LlmUnavailable, match="did not start: it ran out of memory"):
        model(server, tmp_path, llm_timeout_seconds=30).reply(CHAT, lambda _: None)
    assert 2 * AWAY_SECONDS <= time.monotonic() - begun < 10
    # From then on nobody waits, until the unit has removed the file.
    begun = time.monotonic()
    with pytest.raises(LlmUnavailable, match="did not start: it ran out of memory"):
        model(server, tmp_path, llm_timeout_seconds=30).reply(CHAT, lambda _: None)
    assert time.monotonic() - begun < AWAY_SECONDS


def test_one_start_that_fails_is_forgiven(tmp_path: Path) -> None:
    server = LlmServer(path=str(tmp_path / "llm.sock"))
    with server:
        pass
    (tmp_path / "llm.sock").unlink()
    fail_later(tmp_path, 1)
    timer = threading.Timer(2 * AWAY_SECONDS, server.__enter__)
    timer.start()
    model(server, tmp_path).reply(CHAT, lambda _: None)
    timer.join()
    server.stop()


def test_nobody_waits_beyond_the_time_limit(tmp_path: Path) -> None:
    server = LlmServer(path=str(tmp_path / "llm.sock"))
    with server:
        pass
    with pytest.raises(LlmTimeout):
        model(server, tmp_path, llm_timeout_seconds=1).reply(CHAT, lambda _: None)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("exit-code exited 1", "it ended with status 1"),
        ("signal killed SEGV", "it was ended by signal SEGV"),
        ("oom-kill killed KILL", "it ran out of memory"),
        ("timeout killed TERM", "it gave no token in time"),
        ("exit-code killed TERM", "it gave no token in time"),
        ("exit-code exited 143", "it gave no token in time"),
        ("resources", "resources"),
    ],
)
def test_what_systemd_says_becomes_a_sentence(tmp_path: Path, told: str, reason: str) -> None:
    (tmp_path / "llm-failed").write_text(f"exit-code exited 1\n{told}\n")
    assert why_given_up(tmp_path) == f"The language model's server did not start: {reason}."


@pytest.mark.parametrize("content", [None, "", "exit-code exited 1\n"])
def test_one_failure_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "llm-failed").write_text(content)
    assert why_given_up(tmp_path) is None
