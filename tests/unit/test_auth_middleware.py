from __future__ import annotations

import asyncio
from typing import Any

import pytest
from maie.api.http import auth_middleware
from maie.api.http.auth_middleware import CLIENT_GONE, Drains, Exchange


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


async def answer_early(wire: Wire, drains: Drains | None = None) -> None:
    scope = {"headers": [(b"transfer-encoding", b"chunked")]}
    exchange = Exchange(scope, wire.receive, wire.send, drains or Drains())
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
    assert wire.read == auth_middleware.DRAIN_BYTES // 1024**2


@pytest.mark.parametrize("limit", ["DRAIN_SECONDS", "DRAIN_IDLE_SECONDS"])
def test_a_client_that_goes_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(auth_middleware, limit, 0.1)
    wire = Wire(chunks=2)
    drains = Drains()
    asyncio.run(asyncio.wait_for(answer_early(wire, drains), 3))
    assert (wire.read, drains.count) == (2, 0)
    assert wire.sent[-1]["more_body"] is False


def test_an_answer_after_the_body_leaves_the_connection_open() -> None:
    wire = Wire(chunks=None)

    async def answer() -> None:
        exchange = Exchange({"headers": []}, wire.receive, wire.send, Drains())
        await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
        await exchange.send({"type": "http.response.body", "body": b"yes"})

    asyncio.run(answer())
    assert wire.read == 0
    assert wire.sent[0]["headers"] == []


def test_only_so_many_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_middleware, "MOST_DRAINS", 2)
    monkeypatch.setattr(auth_middleware, "DRAIN_IDLE_SECONDS", 0.1)
    wires = [Wire(chunks=1) for _ in range(3)]

    async def main() -> None:
        drains = Drains()
        await asyncio.gather(*(answer_early(wire, drains) for wire in wires))

    asyncio.run(main())
    assert [wire.read for wire in wires] == [1, 1, 0]
    assert all(wire.sent[-1]["more_body"] is False for wire in wires)


def test_an_answer_to_a_client_that_has_gone_counts_as_such() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def main() -> int | None:
        exchange = Exchange({"headers": [(b"content-length", b"9")]}, gone, Wire(chunks=0).send, Drains())
        await exchange.receive()
        await exchange.send({"type": "http.response.start", "status": 500, "headers": []})
        return exchange.status

    assert asyncio.run(main()) == CLIENT_GONE


def test_a_long_answer_goes_out_in_pieces() -> None:
    wire = Wire(chunks=0)
    body = bytes(range(256)) * 1000

    async def main() -> None:
        exchange = Exchange({"headers": []}, wire.receive, wire.send, Drains())
        await exchange.send({"type": "http.response.start", "status": 200, "headers": []})
        await exchange.send({"type": "http.response.body", "body": body})

    asyncio.run(main())
    pieces = wire.sent[1:]
    assert b"".join(piece["body"] for piece in pieces) == body
    assert max(len(piece["body"]) for piece in pieces) <= auth_middleware.PIECE_BYTES
    assert [piece.get("more_body", False) for piece in pieces] == [True, True, True, False]
