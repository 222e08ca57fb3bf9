"""The API process: uvicorn, TLS, and its life under systemd."""

from __future__ import annotations

import ipaddress
import signal
import socket
from pathlib import Path

import uvicorn

from maie.api.app import create_app
from maie.api.connections import Connection
from maie.database import connect, wait_for_redis
from maie.errors import ConfigurationError
from maie.logs import configure_logging
from maie.notify import notify
from maie.settings import Settings, load_settings

GRACEFUL_SECONDS = 20
"""How long requests that are under way may take at a shutdown."""


class Server(uvicorn.Server):
    """uvicorn's server, which tells systemd when it listens and when it stops."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            notify("READY=1", "STATUS=Serving")

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
        ConfigurationError: TLS is to be used and one of them is missing.
    """
    if is_loopback(settings.host) or not settings.tls:
        return None
    certificate, key = (settings.credentials_dir / name for name in ("tls_cert.pem", "tls_key.pem"))
    for path in (certificate, key):
        if not path.is_file():
            raise ConfigurationError(
                f"The API listens on {settings.host}, beyond this machine, and {path} is missing. Give a certificate, "
                "or set MAIE_TLS=false behind a proxy that has one."
            )
    return certificate, key


def main() -> int:
    """Serve until a signal ends it.

    Returns:
        0 after a requested stop, 1 when the API could not start.

    Raises:
        ConfigurationError: It can't start with these settings.
    """
    settings = load_settings()
    configure_logging(settings.log_level)
    certificate, key = tls_files(settings) or (None, None)
    app = create_app(settings)
    wait_for_redis(connect(settings))
    server = Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
    )
    # uvicorn raises the signal that stopped it once more in the end; ignored, it leaves the exit status to us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run()
    return 0 if server.started else 1
