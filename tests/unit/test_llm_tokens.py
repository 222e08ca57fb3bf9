"""The tokens of a reply: cut so that they are its text, whatever each looks like on its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maie.errors import LlmUnavailable
from maie.llm.base import Chat, Token
from maie.llm.tokens import tokens_of
from support.llm_server import LlmServer, model_of

CHAT = Chat(({"role": "user", "content": "Go."},), 100, tells_tokens=True)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


def ignore(_: object) -> None:
    """Take a progress report."""


def of(text: str, *pieces: str) -> list[str]:
    return [token.text for token in tokens_of(text, [(piece, -1.0) for piece in pieces])]


@pytest.mark.parametrize(
    ("text", "pieces", "found"),
    [
        ("1 no\n2 no", ("1", " no", "\n", "2", " no"), ["1", " no", "\n", "2", " no"]),
        ("né 🙂!", ("n", "�", "�", " ", "�", "�", "�", "�", "!"), ["n", "", "", "é ", "", "", "", "", "🙂!"]),
        ("né", ("n", "\\xc3", "\\xa9"), ["n", "", "é"]),
        ("one two", ("one", "two", "<|im_end|>"), ["one", " two"]),
        ("a�b", ("a", "�", "b"), ["a", "�", "b"]),
        ("no", ("token_id:1", "token_id:2"), []),
        ("", ("<|im_end|>",), []),
        ("no", (), []),
    ],
)
def test_tokens_are_the_text(text: str, pieces: tuple[str, ...], found: list[str]) -> None:
    assert of(text, *pieces) == found


@given(st.text(st.sampled_from("ab \n:é漢🙂"), min_size=1), st.data())
@settings(max_examples=200, deadline=None)
def test_tokens_of_bytes_that_letters_share_are_the_text(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
    pieces = [raw[start:end].decode(errors="replace") for start, end in pairwise(cuts)]
    tokens = tokens_of(text, [(piece, -0.5) for piece in pieces])
    assert "".join(token.text for token in tokens) in (text, "")
    if text.isascii():
        assert [token.text for token in tokens] == pieces


def test_a_server_tells_its_tokens_only_when_asked(server: LlmServer) -> None:
    server.answer = lambda _: "1 task Zoë: Ring 漢\n2 no"
    server.sure = lambda piece: 0.5 if piece == " task" else 1.0
    model = model_of(server)
    reply = model.reply(CHAT, ignore)
    assert "".join(token.text for token in reply.tokens) == reply.text
    assert Token(" task", math.log(0.5)) in reply.tokens
    assert all("<|" not in token.text for token in reply.tokens)
    assert model.reply(Chat(CHAT.messages, 100), ignore).tokens == ()
    assert [body.get("logprobs") for body in server.chats] == [True, None]


@pytest.mark.parametrize("behaviour", ["tokenless", "numbers"])
def test_a_server_that_tells_no_tokens_is_believed_its_text(server: LlmServer, behaviour: str) -> None:
    server.behaviours, server.answer = [behaviour], lambda _: "1 no\n2 no"
    reply = model_of(server).reply(CHAT, ignore)
    assert (reply.text, reply.tokens) == ("1 no\n2 no", ())


def test_a_server_that_refuses_to_tell_tokens_is_asked_once(server: LlmServer) -> None:
    server.refuses, server.answer = ("logprobs",), lambda _: "1 no"
    model = model_of(server)
    assert [model.reply(CHAT, ignore).text for _ in range(2)] == ["1 no", "1 no"]
    assert ["logprobs" in body for body in server.chats] == [True, False, False]


def test_a_server_that_refuses_a_chat_for_another_reason_is_asked_for_tokens_again(server: LlmServer) -> None:
    server.behaviours, server.answer = ["refused", "refused", "ok"], lambda _: "1 no"
    model = model_of(server)
    with pytest.raises(LlmUnavailable):
        model.reply(CHAT, ignore)
    assert model.reply(CHAT, ignore).tokens
    assert ["logprobs" in body for body in server.chats] == [True, False, True]


def test_replies_come_in_the_order_of_their_chats(server: LlmServer) -> None:
    server.answer = lambda body: f"to {body['messages'][0]['content']}"
    chats = [Chat(({"role": "user", "content": str(number)},), 100) for number in range(3)]
    seen: list[int] = []
    assert [reply.text for reply in model_of(server).replies(chats, seen.append)] == ["to 0", "to 1", "to 2"]
    assert seen == sorted(seen)
    assert seen[-1] > 6
