"""Clients without a key that hold as many connections as they can: ``strangers.py KIND HOST PORT COUNT SOURCE``.

``idle`` ones say nothing; ``pipelining`` ones ask again and again, over TLS, and read nothing. Whatever the server
closes is opened again. Ends with its standard input; prints how many connections it has opened.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx

REQUESTS = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 8192
PER_ROUND = 64
TIMEOUT = 10.0
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE


class Strangers:
    """A process that holds so many connections, from its start to its end."""

    def __init__(self, kind: str, address: tuple[str, int], count: int, source: str = "") -> None:
        command = [sys.executable, __file__, kind, address[0], str(address[1]), str(count), source]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self) -> int:
        """End them; return how many connections they have opened in all."""
        return int(self._process.communicate("end\n", timeout=60)[0])


def slowest_health(url: str, trust: ssl.SSLContext, seconds: float, source: str = "0.0.0.0") -> float:
    """Ask for ``/health`` again and again, each time on a new connection; return the longest time that one took."""
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        with httpx.Client(transport=httpx.HTTPTransport(verify=trust, local_address=source), timeout=10) as client:
            assert client.get(f"{url}/health").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)
    return slowest


def connect(kind: str, address: tuple[str, int], source: str) -> socket.socket:
    """Open one connection, with TLS for those that ask."""
    connection = socket.create_connection(address, timeout=TIMEOUT, source_address=(source, 0))
    if kind == "pipelining":
        connection = TRUSTING.wrap_socket(connection)
    connection.setblocking(False)
    return connection


def is_open(kind: str, connection: socket.socket) -> bool:
    """Send requests until the server takes no more, or else read; return whether the server has not closed."""
    try:
        while kind == "pipelining":
            connection.send(REQUESTS)
        return connection.recv(1) != b""
    except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False


def attack(kind: str, address: tuple[str, int], count: int, source: str) -> Iterator[int]:
    """Hold ``count`` connections; yield after each round how many have been opened so far."""
    held: dict[int, socket.socket] = {}
    poll = select.poll()
    opened = 0
    while True:
        for number, _ in poll.poll(0 if len(held) < count else 100):
            if not is_open(kind, held[number]):
                poll.unregister(number)
                held.pop(number).close()
        for _ in range(min(PER_ROUND, count - len(held))):
            with suppress(OSError):
                connection = connect(kind, address, source)
                held[connection.fileno()] = connection
                poll.register(connection, select.POLLOUT if kind == "pipelining" else select.POLLIN)
                opened += 1
        yield opened


def main() -> None:
    kind, host, port, count, source = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    total = 0
    for opened in attack(kind, (host, int(port)), int(count), source):
        total = opened
        if select.select([sys.stdin], [], [], 0)[0]:
            break
    print(total)


if __name__ == "__main__":
    main()
