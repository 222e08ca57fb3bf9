"""One HTTP request to a language model's server, held to a time limit whatever the server does."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from maie.errors import LlmAnswerInvalid, LlmTimeout

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 120.0
"""Time to connect, and between two bytes: a small board reads a long prompt for a minute before its first token."""

MAX_LINE_BYTES = 1024**2


class PassingFailure(Exception):
    """The server is away, broken or busy: the same request may succeed a second time."""


class Refused(Exception):
    """The server doesn't take this request, and won't the next time.

    Args:
        status: The HTTP status of its answer.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP {status}")


def post(
    url: str, body: Mapping[str, Any], key: str | None, deadline: float, most_bytes: int
) -> Generator[bytes, None, None]:
    """Send a JSON body and yield the lines of the answer, as they come; closing the generator ends the request.

    At the deadline the connection is shut from another thread. A limit on single reads would not do: a server that
    sends a byte a second keeps each of them short.

    Args:
        url: Where to; with https the server's certificate is verified.
        body: What to send.
        key: For the header ``Authorization``, where the server wants one.
        deadline: On the clock of :func:`time.monotonic`, in seconds.
        most_bytes: What the answer's body may have.

    Raises:
        LlmTimeout: The deadline passed, or nothing came for ``IDLE_SECONDS``.
        LlmAnswerInvalid: The answer is larger than ``most_bytes``.
        PassingFailure: No connection, a broken one, 429, or a status from 500 on.
        Refused: Any other status than 200.
    """
    address = urlsplit(url)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = kind(address.hostname or "", address.port, timeout=CONNECT_SECONDS)
    connected = False
    try:
        connection.connect()
        connected = True
        with _shut_at(deadline, connection.sock):
            connection.request("POST", address.path, json.dumps(body).encode(), headers)
            with connection.getresponse() as response:
                _check(response.status)
                yield from _lines(response, most_bytes)
    except (OSError, HTTPException) as error:
        if time.monotonic() >= deadline or (connected and isinstance(error, TimeoutError)):
            raise LlmTimeout from error
        raise PassingFailure(type(error).__name__) from error
    finally:
        connection.close()
    if time.monotonic() >= deadline:
        raise LlmTimeout  # a connection that was shut can also look like one that ended


@contextmanager
def _shut_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Shut a connection at the deadline, so that whoever waits for it goes on."""

    def shut() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    connected.settimeout(IDLE_SECONDS)
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check(status: int) -> None:
    if status == 429 or status >= 500:
        raise PassingFailure(f"HTTP {status}")
    if status != 200:
        raise Refused(status)


def _lines(response: HTTPResponse, most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    while line := response.readline(MAX_LINE_BYTES):
        left -= len(line)
        if left < 0:
            raise LlmAnswerInvalid("The language model's answer is larger than it may be.")
        yield line
