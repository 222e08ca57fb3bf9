from __future__ import annotations

import asyncio
from typing import Any

from maie.api import boundary
from maie.api.boundary import Exchange


class Wire:
    """The server's side of one request whose body comes in chunks of 1 MiB."""

    def __init__(self, chunks: int | None) -> None:
        self.left = chunks
        self.read = 0
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self.left == 0:
            await asyncio.sleep(60)
        self.read += 1
        if self.left is not None:
            self.left -= 1
        return {"type": "http.request", "body": b"x" * 1024**2, "more_body": True}

    async def send(self, message: Any) -> None:
        self.sent.append({**message, "read": self.read})


async def answer_early(wire: Wire) -> None:
    exchange = Exchange({"headers": [(b"transfer-encoding", b"chunked")]}, wire.receive, wire.send)
    await exchange.send({"type": "http.response.start", "status": 413, "headers": []})
    await exchange.send({"type": "http.response.body", "body": b"no"})


def test_an_early_answer_is_complete_before_the_rest_is_read() -> None:
    wire = Wire(chunks=None)
    asyncio.run(answer_early(wire))
    assert (b"connection", b"close") in wire.sent[0]["headers"]
    assert wire.sent[1]["body"] == b"no"
    assert wire.sent[1]["read"] == 0
    assert wire.sent[-1]["more_body"] is False


def test_the_rest_is_read_only_so_far() -> None:
    wire = Wire(chunks=None)
    asyncio.run(answer_early(wire))
    assert wire.read == boundary.DRAIN_BYTES // 1024**2


def test_a_client_that_goes_silent_is_not_waited_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(boundary, "DRAIN_SECONDS", 0.1)
    wire = Wire(chunks=2)
    asyncio.run(asyncio.wait_for(answer_early(wire), 5))
    assert wire.read == 2
    assert wire.sent[-1]["more_body"] is False


def test_an_answer_after_the_body_leaves_the_connection_open() -> None:
    wire = Wire(chunks=None)

    async def answer() -> None:
        exchange = Exchange({"headers": []}, wire.receive, wire.send)
        await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
        await exchange.send({"type": "http.response.body", "body": b"yes"})

    asyncio.run(answer())
    assert wire.read == 0
    assert wire.sent[0]["headers"] == []
