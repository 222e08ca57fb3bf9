"""A process that takes the place of the language model's server is sent nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from llm_server import LlmServer, model_of
from maie import peer
from maie.api.llm_probe import LlmProbe
from maie.errors import LlmUnavailable
from maie.llm.base import Chat
from maie.settings import Settings

CHAT = Chat(({"role": "user", "content": "What was said."},), 10)
NOBODY = 65534


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "llm_key").write_text("secret\n")
    return {"llm_residency": "swap", "data_dir": tmp_path, "credentials_dir": tmp_path, "llm_retries": 0}


def test_the_unit_of_the_services_own_user_is_asked(given: dict[str, Any]) -> None:
    with LlmServer() as server:
        model = model_of(server, **given)
        assert model.count_tokens(CHAT.messages) > 0
        model.reply(CHAT, lambda _: None)
    assert len(server.chats) == 1
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer secret"}


def test_another_users_process_is_sent_nothing(given: dict[str, Any], tmp_path: Path) -> None:
    """The service's user is whose folder of data it is; here, another one than that of these processes."""
    (tmp_path / "data").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "data", NOBODY, NOBODY)
    given["data_dir"] = tmp_path / "data" if os.geteuid() == 0 else Path("/")
    with LlmServer() as server:
        model = model_of(server, **given)
        for ask in (lambda: model.count_tokens(CHAT.messages), lambda: model.reply(CHAT, lambda _: None)):
            with pytest.raises(LlmUnavailable):
                ask()
        settings = Settings(**{"profile": "embedded", "asr_model": tmp_path, "llm_url": server.url, **given})
        assert not LlmProbe(settings).up()
    assert not server.requests


def test_a_server_elsewhere_can_be_anybodys(given: dict[str, Any], tmp_path: Path) -> None:
    with LlmServer() as server:
        model_of(server, **{**given, "llm_residency": None, "data_dir": Path("/nowhere")}).count_tokens(CHAT.messages)
    assert server.requests


def test_a_connection_that_nobody_takes_is_nobodys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as mine:
        assert not peer.is_of(mine, os.geteuid(), 0.05)
        taken, _ = listener.accept()
        with taken:
            assert peer.is_of(mine, os.geteuid(), 0.05)
            assert not peer.is_of(mine, NOBODY, 0.05)
