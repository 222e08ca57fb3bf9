"""HTTP on one connection, with limits for clients that send nothing, read nothing, or pipeline requests far ahead.

uvicorn waits for ever for the head of a request and for a client that reads, and answers pipelined requests whether
anybody reads the answers or not. Whoever reaches the port could so use up the process' memory without any key.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from maie.api.http.problems import problem
from maie.api.http.visitors import Visitor
from maie.errors import HeadTooLarge, MalformedRequest

_OVER = (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 with limits."""

    HEAD_SECONDS = 10.0
    """Time for the head of a request, from the connection or from the next request's first byte on."""

    STUCK_SECONDS = 10.0
    """How often it is checked whether the client reads what it is sent. The second check without progress ends it."""

    AHEAD_BYTES = 16 * 1024
    """Bytes of later requests that a client may send before it has the answer."""

    _head_timer: asyncio.TimerHandle | None = None
    _unsent = 0
    _was_over = False

    def __init__(self, config: Config, state: ServerState, app_state: dict[str, Any], visitor: Visitor) -> None:
        super().__init__(config, state, {**app_state, "visitor": visitor})
        self._visitor = visitor

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._visitor.arrived(transport)
        # Nothing more is sent before the client has read all, and nothing is read before the last piece is used. (With
        # TLS since Python 3.11 the transport below has another 64 KiB, which are not counted.)
        transport.set_write_buffer_limits(1, 0)
        if hasattr(transport, "set_read_buffer_limits"):  # TLS since Python 3.11; before, it reads nothing ahead
            transport.set_read_buffer_limits(1, 0)
        self._watch_head()
        self._progress_timer = self.loop.call_later(self.STUCK_SECONDS, self._watch_progress)

    def data_received(self, data: bytes) -> None:
        """Take data; it may complete a head, or begin the next one."""
        super().data_received(data)
        if self._is_answering() and self.conn.their_state is h11.DONE:
            ahead, _ = self.conn.trailing_data
            if len(ahead) > self.AHEAD_BYTES:
                self.transport.abort()
        self._watch_head()

    def resume_writing(self) -> None:
        """Resume: the client has read what there was."""
        super().resume_writing()
        self._unsent = 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's own words
        """Answer what is not HTTP with a problem too, unless an answer has begun, and close."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # nothing else is to be sent
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            error = sys.exc_info()[1]  # that of h11 which uvicorn is handling
            too_large = getattr(error, "error_status_hint", 0) == HeadTooLarge.http_status
            answer = problem(HeadTooLarge() if too_large else MalformedRequest(), "/")
            headers = [*self.server_state.default_headers, *answer.raw_headers, CLOSE_HEADER]
            response = h11.Response(status_code=answer.status_code, headers=headers)
            for event in (response, h11.Data(bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._visitor.leave()
        self._stop_head_timer()
        self._progress_timer.cancel()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_head(self) -> None:
        """Run the timer only while a head is awaited; between two requests uvicorn's own timer runs."""
        if self._is_answering():
            self._stop_head_timer()
        elif self._head_timer is None:
            # Abort and not close: a silent client would not take part in an orderly end of TLS either.
            self._head_timer = self.loop.call_later(self.HEAD_SECONDS, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_progress(self) -> None:
        """End a connection whose client has read nothing since the last check, or that does not close."""
        unsent, over = self.transport.get_write_buffer_size(), self.conn.our_state in _OVER
        if unsent >= self._unsent > 0 or (over and self._was_over and not unsent):
            self.transport.abort()
            return
        self._unsent, self._was_over = unsent, over
        self._progress_timer = self.loop.call_later(self.STUCK_SECONDS, self._watch_progress)
