"""What the API's server keeps for a client that does not take its answers, and for how long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from maie.api.http.auth_middleware import PIECE_BYTES
from maie.api.main import tls_context
from support.served import LARGE, LARGE_BYTES, PIECE, REQUEST, served

pytestmark = pytest.mark.usefixtures("hasty")


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

    assert 0.1 < asyncio.run(main()) < 3


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

    assert asyncio.run(main()) < 3


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
