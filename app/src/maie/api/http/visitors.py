"""Who is connected to the API, counted from the moment when the kernel hands over a connection.

Whoever reaches the port can connect, and a connection takes memory long before a key has been seen. So both are
limited: connections that have sent nothing yet, which take next to no memory, and all others. Where there are too many,
one without a key is ended: the oldest of the address that has most of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from asyncio import sslproto
from collections.abc import Callable, Iterator

from maie.logs import get_logger

ARRIVAL_SECONDS = 10.0
"""Time for the first byte and the TLS handshake, from the start of the connection."""

MOST_SILENT = 2048
"""Connections at a time that have not sent a byte yet. Each takes a few kilobytes."""

BACKLOG = 2048
"""Connections that the kernel keeps until they are accepted."""

ACCEPTED_TOGETHER = 64
"""Connections accepted in a row before the existing ones get their turn."""

PAUSE_SECONDS = 1.0
"""Pause after the system could accept none, for want of a descriptor or of memory."""

WARNING_SECONDS = 60.0
"""Least time between two log lines on too many connections."""

# Since Python 3.11 asyncio has a buffer for each TLS connection; before, it had none. Its default of 256 KiB
# would be most of what a connection takes.
sslproto.SSLProtocol.max_size = 64 * 1024  # type: ignore[attr-defined]

log = get_logger(__name__)


class Visitor:
    """One connection: first a bare socket, from its first byte on a TLS handshake, then a protocol that serves it.

    Attributes:
        group: What it is counted under: its address; for IPv6 the network that a customer gets.
        silent: Whether it has sent nothing yet.
        known: Whether it has shown a valid key.
        gone: Whether it is over.
    """

    def __init__(self, connection: socket.socket, host: str, visitors: Visitors) -> None:
        self.group = group_of(host)
        self.silent = True
        self.known = False
        self.gone = False
        self._connection = connection
        self._visitors = visitors
        self._loop = asyncio.get_running_loop()
        self._handshake: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer = self._loop.call_later(ARRIVAL_SECONDS, self.end)
        self._loop.add_reader(connection, self._begin)

    def arrived(self, transport: asyncio.Transport) -> None:
        """Note that a protocol serves it from now on, unless it was ended meanwhile."""
        self._transport = transport
        self._timer.cancel()
        if self.gone:
            transport.abort()

    def recognise(self) -> None:
        """Note that it has shown a valid key."""
        if not self.known and not self.gone:
            self._visitors.recognise(self)

    def end(self) -> None:
        """End it at once, whatever it is doing: a stranger could delay an orderly end of TLS."""
        self.leave()
        if self._transport is not None:
            self._transport.abort()
        elif self._handshake is not None:
            self._handshake.cancel()
        else:
            self._loop.remove_reader(self._connection)
            self._connection.close()

    def leave(self) -> None:
        """Note that it is over."""
        if not self.gone:
            self.gone = True
            self._timer.cancel()
            self._visitors.leave(self)

    @property
    def is_served(self) -> bool:
        """Whether a protocol serves it."""
        return self._transport is not None

    def _begin(self) -> None:
        self._loop.remove_reader(self._connection)
        try:
            has_come = self._connection.recv(1, socket.MSG_PEEK) != b""
        except OSError:
            has_come = False
        if not has_come:
            self.end()
            return
        self._visitors.hear(self)
        if self.gone:
            return
        self._handshake = self._loop.create_task(self._shake_hands())
        self._handshake.add_done_callback(self._close_if_gone)

    async def _shake_hands(self) -> None:
        visitors = self._visitors
        try:
            await self._loop.connect_accepted_socket(lambda: visitors.serve(self), self._connection, ssl=visitors.tls)
        except OSError:  # it went away, or does not speak TLS
            self.leave()

    def _close_if_gone(self, _: asyncio.Task[None]) -> None:
        """Close the socket where no transport has it: a task that is cancelled at once has never begun."""
        if self.gone:
            self._connection.close()


class Strangers:
    """Connections that have shown no key."""

    def __init__(self) -> None:
        self.count = 0
        self._groups: dict[bytes, dict[Visitor, None]] = {}

    def __iter__(self) -> Iterator[Visitor]:
        return (visitor for group in self._groups.values() for visitor in group)

    def add(self, visitor: Visitor) -> None:
        """Add one, the newest."""
        self._groups.setdefault(visitor.group, {})[visitor] = None
        self.count += 1

    def remove(self, visitor: Visitor) -> None:
        """Remove one."""
        group = self._groups[visitor.group]
        del group[visitor]
        if not group:
            del self._groups[visitor.group]
        self.count -= 1

    def end_one(self) -> None:
        """End the oldest of the address that has most of them."""
        most = max(self._groups.values(), key=len)
        next(iter(most)).end()


class Visitors:
    """Accepts connections and counts them.

    Args:
        listening: The socket at which they arrive.
        tls: What TLS needs; None for none.
        most: How many there may be at a time that have sent something.
        serve: Makes the protocol that serves one; it must call ``arrived`` and ``leave``.
    """

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext | None,
        most: int,
        serve: Callable[[Visitor], asyncio.Protocol],
    ) -> None:
        self.tls = tls
        self.serve = serve
        self._listening = listening
        self._most = most
        self._silent = Strangers()
        self._heard = Strangers()
        self._known = 0
        self._warned = float("-inf")
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more, and end those that no protocol serves; their server ends the others."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for visitor in [*self._silent, *self._heard]:
            if not visitor.is_served:
                visitor.end()

    async def wait_closed(self) -> None:
        """Return at once: nothing is left to wait for."""

    def hear(self, visitor: Visitor) -> None:
        """Count a visitor as one that has sent something; it may be ended for it."""
        self._silent.remove(visitor)
        visitor.silent = False
        self._heard.add(visitor)
        if self._heard.count + self._known > self._most:
            self._warn()
            self._heard.end_one()

    def recognise(self, visitor: Visitor) -> None:
        """Count a visitor as one with a key."""
        self._heard.remove(visitor)
        visitor.known = True
        self._known += 1

    def leave(self, visitor: Visitor) -> None:
        """Count a visitor no more."""
        if visitor.known:
            self._known -= 1
        else:
            (self._silent if visitor.silent else self._heard).remove(visitor)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_TOGETHER):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("connections can't be accepted at present", error=str(error))
                self._loop.remove_reader(self._listening)
                self._loop.call_later(PAUSE_SECONDS, self._accept_again)
                return
            connection.setblocking(False)
            self._silent.add(Visitor(connection, address[0], self))
            if self._silent.count > MOST_SILENT:
                self._warn()
                self._silent.end_one()

    def _accept_again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _warn(self) -> None:
        now = time.monotonic()
        if now - self._warned > WARNING_SECONDS:
            self._warned = now
            log.warning("too many connections, so some without a key are ended")


def group_of(host: str) -> bytes:
    """Return what an address is counted under: itself, or for IPv6 its first 64 bits."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address.packed[:8] if address.ipv4_mapped is None else address.ipv4_mapped.packed
    return address.packed
