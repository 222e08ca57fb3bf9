"""The limits of connections without a request, on a real uvicorn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from maie.api.connections import Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(Connection):
    HEAD_SECONDS = 0.4
    MOST = 3


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    config = uvicorn.Config(app, port=0, http=Hasty, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def closed_after(reader: asyncio.StreamReader) -> float:
    began = time.monotonic()
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 3) == b""
    return time.monotonic() - began


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_without_a_whole_head_is_closed(said: bytes) -> None:
    async def main() -> float:
        async with served() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            return await closed_after(reader)

    assert asyncio.run(main()) == pytest.approx(0.4, abs=0.3)


def test_a_byte_now_and_then_wins_no_time() -> None:
    async def main() -> float:
        async with served() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            async def dribble() -> None:
                for byte in REQUEST:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.1)

            dribbling = asyncio.create_task(dribble())
            seconds = await closed_after(reader)
            dribbling.cancel()
            return seconds

    assert asyncio.run(main()) == pytest.approx(0.4, abs=0.3)


def test_a_slow_body_and_a_later_request_are_served_and_a_later_half_head_is_not() -> None:
    async def main() -> float:
        async with served() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            await asyncio.sleep(0.8)
            writer.write(b"b")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.8)
            writer.write(REQUEST)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
            writer.write(REQUEST[:10])
            return await closed_after(reader)

    assert asyncio.run(main()) == pytest.approx(0.4, abs=0.3)


def test_connections_beyond_the_limit_are_closed_at_once_and_the_others_served() -> None:
    async def main() -> float:
        async with served() as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await asyncio.sleep(0.05)
            reader, _ = await asyncio.open_connection("127.0.0.1", port)
            seconds = await closed_after(reader)
            for reader, writer in held:
                writer.write(REQUEST)
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
                writer.close()
            return seconds

    assert asyncio.run(main()) < 0.2
