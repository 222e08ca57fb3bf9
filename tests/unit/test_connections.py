"""The limits of connections, on the API's own server: what a client without a key can hold, and for how long."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from maie.api import visitors
from maie.api.boundary import PIECE_BYTES
from maie.api.connections import Connection
from maie.api.main import HEADERS, Server, listen, tls_context
from maie.api.visitors import group_of

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
KEYED = b"GET /key HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
PIECE = b"GET /piece HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_BYTES = 8 * 1024**2
SHORT = pytest.approx(0.4, abs=0.3)
Open = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "ARRIVAL_SECONDS", 0.4)
    monkeypatch.setattr(Connection, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(Connection, "STUCK_SECONDS", 0.2)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-out", str(files[0]), "-keyout", str(files[1]), "-subj", "/CN=maie"]
    subprocess.run(command, check=True, capture_output=True)
    return files


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


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_without_a_whole_head_is_closed(said: bytes) -> None:
    async def main() -> float:
        async with served() as service:
            reader, writer = await service.open()
            writer.write(said)
            return await closed_after(reader)

    assert asyncio.run(main()) == SHORT


def test_a_byte_now_and_then_wins_no_time() -> None:
    async def main() -> float:
        async with served() as service:
            reader, writer = await service.open()

            async def dribble() -> None:
                for byte in REQUEST:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.1)

            dribbling = asyncio.create_task(dribble())
            seconds = await closed_after(reader)
            dribbling.cancel()
            return seconds

    assert asyncio.run(main()) == SHORT


def test_a_slow_body_and_a_later_request_are_served_and_a_later_half_head_is_not() -> None:
    async def main() -> float:
        async with served() as service:
            reader, writer = await service.open()
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            await asyncio.sleep(0.8)
            assert await answers((reader, writer), b"b")
            await asyncio.sleep(0.8)
            assert await answers((reader, writer))
            writer.write(REQUEST[:10])
            return await closed_after(reader)

    assert asyncio.run(main()) == SHORT


def test_a_handshake_that_is_not_finished_ends(certificate: tuple[Path, Path]) -> None:
    async def main() -> float:
        async with served(tls=tls_context(*certificate)) as service:
            reader, writer = await service.open()
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
            return await closed_after(reader)

    assert asyncio.run(main()) == SHORT


def test_one_too_many_costs_the_oldest_of_the_address_that_has_most() -> None:
    async def main() -> list[bool]:
        async with served(most=3) as service:
            held = []
            for source in ("127.0.0.2", *["127.0.0.1"] * 6):
                held.append(await service.open(source))
                held[-1][1].write(b"G")
            await asyncio.sleep(0.1)
            return [await answers(connection, REQUEST[1:]) for connection in held]

    assert asyncio.run(main()) == [True, *[False] * 4, True, True]


def test_the_same_goes_for_those_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MOST_SILENT", 3)

    async def main() -> list[bool]:
        async with served() as service:
            held = [await service.open(source) for source in ("127.0.0.2", *["127.0.0.1"] * 6)]
            await asyncio.sleep(0.1)
            return [await answers(connection) for connection in held]

    assert asyncio.run(main()) == [True, *[False] * 4, True, True]


def test_those_that_say_nothing_take_no_place_of_the_others() -> None:
    async def main() -> list[bool]:
        async with served(most=3) as service:
            speaking = [await service.open() for _ in range(3)]
            assert [await answers(connection) for connection in speaking] == [True] * 3
            _silent = [await service.open() for _ in range(20)]
            return [await answers(connection) for connection in speaking]

    assert asyncio.run(main()) == [True] * 3


def test_who_leaves_without_a_word_costs_nobody_a_place() -> None:
    async def main() -> list[bool]:
        async with served(most=3) as service:
            speaking = [await service.open() for _ in range(3)]
            assert [await answers(connection) for connection in speaking] == [True] * 3
            for _ in range(3):
                _, writer = await service.open()
                writer.close()
            await asyncio.sleep(0.05)
            return [await answers(connection) for connection in speaking]

    assert asyncio.run(main()) == [True] * 3


def test_of_many_that_come_at_once_all_but_one_are_closed_at_once() -> None:
    async def main() -> list[bool]:
        async with served(most=1) as service:
            came = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(10)]
            for connection in came:
                connection.sendall(b"G")
            await asyncio.sleep(0.2)
            closed = []
            for connection in came:
                with suppress(ConnectionResetError), connection:
                    connection.setblocking(False)
                    closed.append(True)
                    try:
                        connection.recv(1)
                    except BlockingIOError:
                        closed[-1] = False
            return closed

    assert asyncio.run(main()) == [*[True] * 9, False]


def test_who_has_shown_a_key_stays() -> None:
    async def main() -> tuple[list[bool], bool]:
        async with served(most=3) as service:
            known = [await service.open() for _ in range(2)]
            assert [await answers(connection, KEYED) for connection in known] == [True, True]
            held = [await service.open() for _ in range(6)]
            for _, writer in held:
                writer.write(b"G")
                await asyncio.sleep(0.02)
            assert [await answers(connection, KEYED[1:]) for connection in held] == [*[False] * 5, True]
            refused = await answers(await service.open())
            return [await answers(connection) for connection in (*known, held[-1])], refused

    assert asyncio.run(main()) == ([True, True, True], False)


def test_an_end_makes_room() -> None:
    async def main() -> list[bool]:
        async with served(most=3) as service:
            for request in (b"", REQUEST, KEYED):
                for _ in range(3):
                    _, writer = await service.open()
                    writer.write(request)
                    await asyncio.sleep(0.02)
                    writer.close()
            await asyncio.sleep(0.1)
            return [await answers(connection) for connection in [await service.open() for _ in range(3)]]

    assert asyncio.run(main()) == [True] * 3


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_client_that_reads_nothing_is_closed_and_a_slow_one_is_not(
    certificate: tuple[Path, Path], over_tls: bool
) -> None:
    trusting = ssl._create_unverified_context() if over_tls else None

    async def main() -> float:
        async with served(tls=tls_context(*certificate) if over_tls else None) as service:
            reader, writer = await service.open(ssl=trusting, limit=2**16)
            writer.write(LARGE)
            left = LARGE_BYTES
            await reader.readuntil(b"\r\n\r\n")
            while left:
                left -= len(await reader.read(2**18))
                await asyncio.sleep(0.02)
            writer.write(LARGE)
            await asyncio.sleep(0.1)
            return await service.emptied_after()

    assert 0.1 < asyncio.run(main()) < 0.8


def test_a_client_that_does_not_end_tls_is_closed(certificate: tuple[Path, Path]) -> None:
    async def main() -> float:
        async with served(tls=tls_context(*certificate)) as service:

            def ask() -> ssl.SSLSocket:
                plain = socket.create_connection(("127.0.0.1", service.port))
                connection = ssl._create_unverified_context().wrap_socket(plain)
                connection.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                connection.recv(1)
                return connection

            connection = await asyncio.to_thread(ask)
            seconds = await service.emptied_after()
            connection.close()
            return seconds

    assert asyncio.run(main()) < 0.8


def test_of_many_answers_that_nobody_takes_only_one_is_kept() -> None:
    async def main() -> int:
        async with served() as service:
            _, writer = await service.open(limit=2**16)
            writer.write(PIECE * 400)
            await asyncio.sleep(0.15)
            assert service.app.requests < 400
            (connection,) = service.server.server_state.connections
            return int(connection.transport.get_write_buffer_size())

    assert 0 < asyncio.run(main()) <= PIECE_BYTES


@pytest.mark.parametrize("over_tls", [False, True])
def test_what_is_asked_ahead_waits_until_the_answer_is_taken(certificate: tuple[Path, Path], over_tls: bool) -> None:
    trusting = ssl._create_unverified_context() if over_tls else None

    async def main() -> tuple[int, int]:
        async with served(tls=tls_context(*certificate) if over_tls else None) as service:
            reader, writer = await service.open(ssl=trusting, limit=2**16)
            writer.write(LARGE * 20 + REQUEST)
            await asyncio.sleep(0.15)
            unread = service.app.requests
            for _ in range(20):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(LARGE_BYTES)
            await reader.readuntil(b"ok")
            return unread, service.app.requests

    assert asyncio.run(main()) == (1, 21)


def test_who_asks_too_far_ahead_is_closed() -> None:
    async def main() -> int:
        async with served() as service:
            _, writer = await service.open(limit=2**16)
            writer.write(LARGE * 1000)
            await asyncio.sleep(0.1)
            assert not service.server.server_state.connections
            return service.app.requests

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "malformed_request"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400, "malformed_request"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000, 431, "head_too_large"),
    ],
)
def test_what_is_not_http_is_a_problem_too(said: bytes, status: int, code: str) -> None:
    async def main() -> bytes:
        async with served() as service:
            reader, writer = await service.open()
            writer.write(said)
            return await asyncio.wait_for(reader.read(), 3)

    head, body = asyncio.run(main()).split(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} ")
    assert {"content-type: application/problem+json", "connection: close", "x-content-type-options: nosniff"} < {*lines}
    assert (json.loads(body)["status"], json.loads(body)["code"]) == (status, code)


def test_only_sound_ciphers_are_spoken(certificate: tuple[Path, Path]) -> None:
    context = tls_context(*certificate)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert {cipher["aead"] for cipher in context.get_ciphers()} == {True}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
    ],
)
def test_of_ipv6_a_network_counts_as_one(one: str, other: str, same: bool) -> None:
    assert (group_of(one) == group_of(other)) is same
