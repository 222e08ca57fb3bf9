"""The language model's server behind a Unix socket, as on a device."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from maie.api.llm_probe import LlmProbe
from maie.errors import LlmUnavailable
from maie.llm.base import Chat
from maie.settings import Settings
from support.llm_server import LlmServer, model_of

CHAT = Chat(({"role": "user", "content": "What was said."},), 10)


def probe(url: str, folder: Path) -> LlmProbe:
    return LlmProbe(Settings(profile="embedded", asr_model=folder, llm_url=url, credentials_dir=folder))


def test_it_is_asked_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "llm_key").write_text("secret\n")
    with LlmServer(path=str(tmp_path / "The server.sock")) as server:
        model = model_of(server, credentials_dir=tmp_path)
        assert model.count_tokens(CHAT.messages) > 0
        model.reply(CHAT, lambda _: None)
        assert probe(server.url, tmp_path).up()
    assert [request.path for request in server.requests] == ["/tokenize", "/v1/chat/completions"]
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer secret"}


@pytest.mark.parametrize("left", [True, False])
def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path, left: bool) -> None:
    """With the socket of one that was killed, and without."""
    path = tmp_path / "llm.sock"
    with LlmServer(path=str(path)) as server:
        pass
    if not left:
        path.unlink()
    model = model_of(server, llm_retries=0, credentials_dir=tmp_path)
    with pytest.raises(LlmUnavailable):
        model.reply(CHAT, lambda _: None)
    assert not probe(f"http+unix://{quote(str(path), safe='')}/v1", tmp_path).up()
