"""Messages to systemd (sd_notify): READY, WATCHDOG, STATUS. Without systemd they go nowhere.

A message that is lost is no error of the work that it reports: systemd acts on missing ones itself.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*assignments: str) -> None:
    """Send assignments such as ``READY=1`` to the service manager, if one asked for them."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel, suppress(OSError):
        channel.connect(address)
        channel.sendall("\n".join(assignments).encode())
