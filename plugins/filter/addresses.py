"""Filters of network addresses."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(address: str) -> bool:
    """Return whether a host, or the host of a URL, is the machine itself."""
    host = urlsplit(address).hostname or "" if "//" in address else address
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"is_loopback": is_loopback}
