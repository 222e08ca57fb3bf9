"""How long a client without a key can hold a connection of the API's server, and what is not HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from maie.api.main import tls_context
from support.served import REQUEST, answers, closed_after, served

pytestmark = pytest.mark.usefixtures("hasty")
SHORT = pytest.approx(1.05, abs=0.95)
"""Not at once, and far below the seconds that a client would win where it can: 0.4, more on a busy machine."""


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
