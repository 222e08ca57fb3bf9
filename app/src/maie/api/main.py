"""The API process: uvicorn, TLS, and its life under systemd."""

from __future__ import annotations

import signal
import socket
import ssl

import uvicorn

from maie.access.tls import tls_context, tls_files
from maie.api.app import create_app
from maie.api.http.connections import Connection
from maie.api.http.visitors import BACKLOG, Visitor, Visitors
from maie.errors import ConfigurationError
from maie.logs import configure_logging
from maie.notify import notify
from maie.settings import load_settings
from maie.tasks.files import Files
from maie.tasks.redis_client import connect, wait_for_redis

GRACEFUL_SECONDS = 20
"""How long running requests may take at a shutdown."""

HEADERS = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
"""Of every answer."""


class Server(uvicorn.Server):
    """uvicorn's server, which counts its visitors, and tells systemd when it listens and when it stops."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, tls: ssl.SSLContext | None, most: int) -> None:
        super().__init__(config)
        self._listening, self._tls, self._most = listening, tls, most

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets or [])
        if self.started:
            visitors = Visitors(self._listening, self._tls, self._most, self._connection)
            self.servers.append(visitors)  # type: ignore[arg-type]  # it has what uvicorn uses of one
            notify("READY=1", "STATUS=Serving")

    def _connection(self, visitor: Visitor) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state, visitor)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, then stop."""
        notify("STOPPING=1")
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigurationError: The address is not this machine's, or in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"The API can't listen on {host}, port {port}: {error.strerror}.") from None
    # Send answers at once (TCP_NODELAY); asyncio sets it only on sockets of its own.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def main() -> int:
    """Serve until a signal ends it.

    Returns:
        0 after a requested stop, 1 when the API could not start.

    Raises:
        PermissionError: It can't start as this user.
        ConfigurationError: It can't start with these settings.
    """
    settings = load_settings()
    configure_logging(settings.log_level)
    files = tls_files(settings)
    tls = tls_context(*files) if files else None
    Files(settings.data_dir).prepare()
    app = create_app(settings)
    wait_for_redis(connect(settings))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=HEADERS,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = Server(config, listen(settings.host, settings.port), tls, settings.max_connections)
    # In the end uvicorn raises the signal that stopped it once more; ignored, it leaves the exit status to us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run()
    return 0 if server.started else 1
