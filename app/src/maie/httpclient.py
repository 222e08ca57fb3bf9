"""HTTP requests to another server, within a time limit whatever that server does."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from maie.errors import ConfigurationError
from maie.logs import get_logger

CONNECT_SECONDS = 5.0
MAX_LINE_BYTES = 1024**2

UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading values from foreign JSON may raise, whatever its form and depth."""

PAUSE_SECONDS = 1.0
"""Longest pause before the first retry; it doubles for the second. The pause is random."""

T = TypeVar("T")
log = get_logger(__name__)


class PassingFailure(Exception):
    """The server is away, broken or busy: the same request may succeed a second time."""


class TimedOut(Exception):
    """The time limit passed."""


class TooLarge(Exception):
    """The answer is larger than it may be."""


class Refused(Exception):
    """The server refuses this request, and would again.

    Args:
        status: The HTTP status of its answer.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP {status}")


def exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
    most_bytes: int,
    idle_seconds: float,
) -> Generator[bytes, None, None]:
    """Send a request and yield the lines of the answer, as they come; closing the generator ends the request.

    At the deadline another thread shuts the connection: limits on single reads don't help against a server that sends a
    byte a second.

    Args:
        method: GET or POST.
        url: With https the server's certificate is verified; with http+unix the host is the percent-encoded path of a
            socket. Neither redirects nor proxies are followed.
        body: What to send, if anything.
        headers: The content's type, and the key where the server expects one.
        deadline: On the clock of :func:`time.monotonic`, in seconds.
        most_bytes: What the answer's body may have.
        idle_seconds: Time between two bytes.

    Raises:
        TimedOut: The deadline passed, or nothing came for ``idle_seconds``.
        TooLarge: The answer is larger than ``most_bytes``.
        PassingFailure: No connection, a broken one, 429, or a status from 500 on.
        Refused: Any other status than 200.
    """
    address = urlsplit(url)
    connection = _connection(address)
    connected = False
    try:
        connection.connect()
        connected = True
        with _shut_at(deadline, connection.sock, idle_seconds):
            connection.request(method, address.path, body, dict(headers))
            with connection.getresponse() as response:
                _check(response.status)
                yield from _lines(response, most_bytes)
    except (OSError, HTTPException) as error:
        if time.monotonic() >= deadline or (connected and isinstance(error, TimeoutError)):
            raise TimedOut from error
        raise PassingFailure(type(error).__name__) from error
    finally:
        connection.close()
    if time.monotonic() >= deadline:
        raise TimedOut  # a connection that was shut can look like one that ended


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket; the file's permissions say who may use it."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CONNECT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: SplitResult) -> HTTPConnection:
    if address.scheme == "http+unix":
        return _UnixConnection(unquote(address.netloc))
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    return kind(address.hostname or "", address.port, timeout=CONNECT_SECONDS)


@contextmanager
def _shut_at(deadline: float, connected: socket.socket, idle_seconds: float) -> Iterator[None]:
    """Shut a connection at the deadline, so that whoever waits for it continues."""

    def shut() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    connected.settimeout(idle_seconds)
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
            raise TooLarge
        yield line


def repeat(
    call: Callable[[], T], retries: int, deadline: float, server: str, wait: Callable[[], None] | None = None
) -> T:
    """Make a request, again after failures that may pass.

    Args:
        call: Sends the request once.
        retries: How often it is repeated at most.
        deadline: On the clock of :func:`time.monotonic`; no retry begins after it.
        server: What the log calls the server.
        wait: Called before each retry, to wait until one makes sense.

    Raises:
        PassingFailure: It failed each time.
        Exception: Whatever ``wait`` raised.
    """
    attempt = 0
    while True:
        try:
            return call()
        except PassingFailure as failure:
            pause = random.uniform(0, PAUSE_SECONDS * 2**attempt)  # noqa: S311 - spreads retries, keeps no secret
            attempt += 1
            log.warning(f"request to the {server} failed", cause=str(failure), attempt=attempt)
            if attempt > retries or time.monotonic() + pause >= deadline:
                raise
            time.sleep(pause)
            if wait is not None:
                wait()


def base_url(setting: str, value: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        ConfigurationError: It is none; the text names the setting.
    """
    if not value.startswith(("http://", "https://", "http+unix://")):
        raise ConfigurationError(f"{setting} is {value!r}; it must start with http://, https:// or http+unix://.")
    if not urlsplit(value).netloc:
        raise ConfigurationError(f"{setting} is {value!r}, without a host; the slashes of a socket's path are %2F.")
    return value.rstrip("/")


def bearer(key: str | None) -> dict[str, str]:
    """Return the header with the key; none where there is no key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def read_key(path: Path) -> str | None:
    """Return the key in a file; None where there is no such file.

    Raises:
        ConfigurationError: It can't be read, or no header can hold it.
    """
    try:
        key = path.read_bytes().strip() if path.exists() else None
    except OSError as error:
        raise ConfigurationError(f"The key of a server can't be read from {path}: {error.strerror}.") from None
    if key is not None and not re.fullmatch(rb"[!-~]*", key):
        # Checked here: the error for such a header would quote the key.
        raise ConfigurationError(f"The key of a server in {path} is not one line of letters, digits and signs.")
    return None if key is None else key.decode("ascii")
