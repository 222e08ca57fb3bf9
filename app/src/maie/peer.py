"""Whose process is at the other end of a connection on this host: the kernel's own table tells.

While the language model's server is off, anybody on the host may listen in its place, and would be sent the key and
what was said. Who has taken a connection is known before a byte goes over it.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

TABLE = Path("/proc/self/net/tcp")
POLL_SECONDS = 0.01


def is_of(connected: socket.socket, user: int, seconds: float) -> bool:
    """Whether a process of the user's has taken the connection.

    Args:
        connected: A connection by IPv4; with any other the answer is no.
        user: The numeric id.
        seconds: How long to wait until anybody takes it.
    """
    end = time.monotonic() + seconds
    while (found := _user_of_peer(connected)) is None and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return found == user


def _user_of_peer(connected: socket.socket) -> int | None:
    """Return the user's id; None while nobody has taken the connection, or if the other end is not on this host."""
    if connected.family != socket.AF_INET:
        return None
    ends = [_entry(*connected.getpeername()), _entry(*connected.getsockname())]
    for line in TABLE.read_text().splitlines():
        # Number, local end, remote end, …, user, timeout, inode; without an inode the kernel holds it for the listener.
        fields = line.split()
        if fields[1:3] == ends and fields[9] != "0":
            return int(fields[7])
    return None


def _entry(host: str, port: int) -> str:
    """Return an address as the table has it: the bytes of a little-endian number, and the port."""
    return f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"
