"""The outermost layer of the API: keys, early answers, unexpected errors, and one log line and metric per request.

It wraps the application as plain ASGI, so that nothing has read a byte of a request's body before its key is checked.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maie.access.keys import KeyRing
from maie.api.http.problems import problem
from maie.api.http.visitors import Visitor
from maie.api.metrics import ApiMetrics
from maie.errors import HeadTooLarge, MaieError, Unauthorized
from maie.logs import get_logger

PROTECTED = "/v1"
"""Paths below it need a key."""

HEAD_BYTES = 16 * 1024
"""Longest path, query and headers of a request. h11 has the same limit, but not where all of it arrives at once."""

DRAIN_BYTES = 128 * 1024**2
DRAIN_SECONDS = 120.0
DRAIN_IDLE_SECONDS = 5.0
"""After an early answer this much of the body is still read, for this long, and for this long without a byte: most
clients read the answer only when they have sent everything.
"""

MOST_DRAINS = 200
"""Most such bodies at a time; further connections are closed at once."""

PIECE_BYTES = 64 * 1024
"""An answer goes out in pieces of this size, each when the client has taken the one before."""

CLIENT_GONE = 499
"""Status in log and metrics where the client went away before the answer."""

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})

log = get_logger(__name__)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Drains:
    """Counts the bodies that are being read only to be thrown away."""

    def __init__(self) -> None:
        self.count = 0


class Exchange:
    """One request and its answer, and how far each of them is.

    An answer that comes before the whole body has arrived is sent complete at once, with ``Connection: close``; then a
    bounded part of the rest is read and thrown away. Closing with unread bytes would reset the connection, and many a
    client would report the reset and not the answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, drains: Drains) -> None:
        self._receive = receive
        self._send = send
        self._drains = drains
        self._visitor: Visitor | None = scope.get("state", {}).get("visitor")
        headers = {name for name, value in scope["headers"] if value != b"0"}
        self._body_complete = not headers & {b"content-length", b"transfer-encoding"}
        self._client_gone = False
        self._early = False
        self._began = time.perf_counter()
        self.status: int | None = None
        self.seconds: float | None = None

    async def receive(self) -> Message:
        """Receive, and note the end of the body."""
        message = await self._receive()
        self._client_gone |= message["type"] == "http.disconnect"
        if self._client_gone or not message.get("more_body", False):
            self._body_complete = True
        return message

    async def send(self, message: Message) -> None:
        """Send, and read the rest of the body before the connection closes where the answer is early."""
        if message["type"] == "http.response.start":
            gone = self._client_gone or (self._visitor is not None and self._visitor.gone)
            self.status = CLIENT_GONE if gone else message["status"]
            self.seconds = time.perf_counter() - self._began
            self._early = not self._body_complete
            if self._early:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await self._send(message)
            return
        body = memoryview(message.get("body", b""))
        while len(body) > PIECE_BYTES:
            await self._send({"type": "http.response.body", "body": bytes(body[:PIECE_BYTES]), "more_body": True})
            body = body[PIECE_BYTES:]
        message = {**message, "body": bytes(body)}
        if self._early and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drain(self) -> None:
        if self._drains.count >= MOST_DRAINS:
            return
        self._drains.count += 1
        left, end = DRAIN_BYTES, time.monotonic() + DRAIN_SECONDS
        try:
            while not self._body_complete and left > 0:
                patience = min(DRAIN_IDLE_SECONDS, end - time.monotonic())
                message = await asyncio.wait_for(self.receive(), patience)
                left -= len(message.get("body", b""))
        except asyncio.TimeoutError:
            return
        finally:
            self._drains.count -= 1


class AuthMiddleware:
    """Wraps the API's application."""

    def __init__(self, app: ASGIApp, keyring: KeyRing, metrics: ApiMetrics) -> None:
        self._app = app
        self._keyring = keyring
        self._metrics = metrics
        self._drains = Drains()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._drains)
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
        head = len(scope["path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"])
        if head > HEAD_BYTES:
            app = problem(HeadTooLarge(), "/")
        elif path == PROTECTED or path.startswith(f"{PROTECTED}/"):
            key = next((value for name, value in scope["headers"] if name == b"x-api-key"), b"")
            scope["state"]["key_id"] = self._keyring.identify(key)
            if scope["state"]["key_id"] is None:
                app = problem(Unauthorized(), path)
            elif "visitor" in scope["state"]:
                scope["state"]["visitor"].recognise()
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
