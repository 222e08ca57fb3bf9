"""The API process: uvicorn, TLS, and its life under systemd."""

from __future__ import annotations

import ipaddress
import signal
import socket
import ssl
from pathlib import Path

import uvicorn

from maie.api.app import create_app
from maie.api.connections import Connection
from maie.api.visitors import BACKLOG, Visitor, Visitors
from maie.database import connect, wait_for_redis
from maie.errors import ConfigurationError
from maie.files import Files
from maie.logs import configure_logging
from maie.notify import notify
from maie.settings import Settings, load_settings

GRACEFUL_SECONDS = 20
"""How long requests that are under way may take at a shutdown."""

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


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_files(settings: Settings) -> tuple[Path, Path] | None:
    """Return certificate and key where TLS is to be used, None where not.

    Raises:
        PermissionError: One of them is not open to this user.
        ConfigurationError: TLS is to be used and one of them is missing.
    """
    if is_loopback(settings.host) or not settings.tls:
        return None
    certificate, key = (settings.credentials_dir / name for name in ("tls_cert.pem", "tls_key.pem"))
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except FileNotFoundError:
            raise ConfigurationError(
                f"The API listens on {settings.host}, beyond this machine, and {path} is missing. Give a certificate, "
                "or set MAIE_TLS=false behind a proxy that has one."
            ) from None
    return certificate, key


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what serves TLS 1.3, and of 1.2 what encrypts and authenticates in one.

    Raises:
        ConfigurationError: They are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{certificate} and {key} are no certificate and its key: {error.strerror}.") from None
    return context


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
    # An answer goes out at once, in each connection that is accepted: asyncio sees to it only in sockets of its own.
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
    # uvicorn raises the signal that stopped it once more in the end; ignored, it leaves the exit status to us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run()
    return 0 if server.started else 1
