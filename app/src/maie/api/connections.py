"""The connections of the API, before there is a request: none is kept by a client that says nothing.

uvicorn waits without end for the head of a request, and whoever reaches the port could hold all descriptors of the
process so, without any key.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, with a time limit for each request's head and a limit for the number of connections."""

    HEAD_SECONDS = 10.0
    """Time for the head of a request, from the connection or from the next request's first byte on."""

    MOST = 4096
    """Connections at a time; what comes beyond is closed at once. It bounds the memory that strangers can take."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.MOST:
            transport.abort()
            return
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take data; it may complete a head, or begin the next one."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """Let the timer run exactly as long as a head is awaited; between two requests uvicorn's own one runs."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None:
            # Abort and not close: a silent client would not take part in an orderly end of TLS either.
            self._head_timer = self.loop.call_later(self.HEAD_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
