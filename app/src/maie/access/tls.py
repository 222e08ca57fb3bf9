"""The certificate that the API serves TLS with."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

from maie.errors import ConfigurationError
from maie.settings import Settings


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
