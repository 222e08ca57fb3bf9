"""The API's own server in a test's process, and clients that hold its connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from maie.api.http.auth_middleware import PIECE_BYTES
from maie.api.main import HEADERS, Server, listen

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
KEYED = b"GET /key HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
PIECE = b"GET /piece HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_BYTES = 8 * 1024**2
Open = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers as asked, and counts the requests."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/key":
            scope["state"]["visitor"].recognise()
        size = {"/large": LARGE_BYTES, "/piece": PIECE_BYTES}.get(scope["path"], 0)
        pieces = [bytes(PIECE_BYTES)] * (size // PIECE_BYTES) or [b"ok"]
        length = str(sum(map(len, pieces))).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Served:
    """A server in the test's own process."""

    def __init__(self, server: Server, port: int, app: App) -> None:
        self.server, self.port, self.app = server, port, app

    async def open(self, source: str = "127.0.0.1", **options: Any) -> Open:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # else the system may take a whole answer
        connection.bind((source, 0))
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        if "ssl" in options:
            options["server_hostname"] = "maie" if options["ssl"] else None
        return await asyncio.open_connection(sock=connection, **options)

    async def emptied_after(self) -> float:
        began = time.monotonic()
        while self.server.server_state.connections:
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.01)
        return time.monotonic() - began


@asynccontextmanager
async def served(most: int = 100, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    app = App()
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None, headers=HEADERS)
    listening = listen("127.0.0.1", 0)
    server = Server(config, listening, tls, most)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield Served(server, listening.getsockname()[1], app)
    server.should_exit = True
    await task


async def closed_after(reader: asyncio.StreamReader) -> float:
    began = time.monotonic()
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 3) == b""
    return time.monotonic() - began


async def answers(connection: Open, request: bytes = REQUEST) -> bool:
    reader, writer = connection
    writer.write(request)
    try:
        return (await asyncio.wait_for(reader.readuntil(b"ok"), 3)).startswith(b"HTTP/1.1 200 ")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return False
