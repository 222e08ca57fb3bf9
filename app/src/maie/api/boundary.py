"""The outermost layer of the API: keys, early answers, unexpected errors, and one log line and metric per request.

It wraps the application as plain ASGI, so that nothing has read a byte of a request's body before its key is checked.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maie.api.keyring import KeyRing
from maie.api.problems import problem
from maie.errors import MaieError, Unauthorized
from maie.logs import get_logger
from maie.metrics import ApiMetrics

PROTECTED = "/v1"
"""What lies below needs a key."""

DRAIN_BYTES = 16 * 1024**2
DRAIN_SECONDS = 5.0
"""How much of a body that nobody wants is read after the answer, so that the client gets to read the answer."""

CLIENT_GONE = 499
"""Status in log and metrics where the client went away before the answer."""

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})

log = get_logger(__name__)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Exchange:
    """One request and its answer, and how far each of them is.

    An answer that comes before the whole body has arrived is sent complete at once, with ``Connection: close``; then a
    bounded part of the rest is read and thrown away. Closing with unread bytes would reset the connection, and many a
    client would report the reset and not the answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        headers = {name for name, value in scope["headers"] if value != b"0"}
        self._body_complete = not headers & {b"content-length", b"transfer-encoding"}
        self._early = False
        self._began = time.perf_counter()
        self.status: int | None = None
        self.seconds: float | None = None

    async def receive(self) -> Message:
        """Receive, and note the end of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._body_complete = True
        return message

    async def send(self, message: Message) -> None:
        """Send, and read the rest of the body before the connection closes where the answer is early."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.seconds = time.perf_counter() - self._began
            self._early = not self._body_complete
            if self._early:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await self._send(message)
            return
        if self._early and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drain(self) -> None:
        left = DRAIN_BYTES
        end = time.monotonic() + DRAIN_SECONDS
        while not self._body_complete and left > 0:
            try:
                message = await asyncio.wait_for(self.receive(), end - time.monotonic())
            except asyncio.TimeoutError:
                return
            left -= len(message.get("body", b""))


class Boundary:
    """Wraps the API's application."""

    def __init__(self, app: ASGIApp, keyring: KeyRing, metrics: ApiMetrics) -> None:
        self._app = app
        self._keyring = keyring
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        scope.setdefault("state", {})["key_id"] = None
        try:
            await self._serve(scope, exchange)
        except ClientGone:
            return
        except Exception:
            log.exception("request failed unexpectedly", path=scope["path"])
            if exchange.status is None:
                await problem(MaieError(), scope["path"])(scope, exchange.receive, exchange.send)
        finally:
            self._record(scope, exchange)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        path: str = scope["path"]
        app = self._app
        if path == PROTECTED or path.startswith(f"{PROTECTED}/"):
            key = next((value for name, value in scope["headers"] if name == b"x-api-key"), b"")
            scope["state"]["key_id"] = self._keyring.identify(key)
            if scope["state"]["key_id"] is None:
                app = problem(Unauthorized(), path)
        await app(scope, exchange.receive, exchange.send)

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        status, seconds = exchange.status or CLIENT_GONE, exchange.seconds or 0.0
        route: Any = scope.get("route")
        template = getattr(route, "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.observe(method, template, status, seconds)
        log.info(
            "request",
            method=method,
            route=template,
            status=status,
            seconds=round(seconds, 4),
            key_id=scope["state"]["key_id"],
        )
