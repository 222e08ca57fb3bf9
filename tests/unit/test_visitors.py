"""Who keeps a connection of the API's server when there are too many."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from maie.api.http import visitors
from maie.api.http.visitors import group_of
from support.served import KEYED, REQUEST, answers, served

pytestmark = pytest.mark.usefixtures("hasty")


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
