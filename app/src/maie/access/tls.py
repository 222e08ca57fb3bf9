"""The certificate that the API serves TLS with."""

from __future__ import annotations

import ssl
from pathlib import Path

from maie.errors import ConfigurationError
from maie.platform import is_loopback
from maie.settings import Settings


def tls_files(settings: Settings) -> tuple[Path, Path] | None:
    """Return the certificate and the key, or None where the API serves plain HTTP.

    Raises:
        PermissionError: This user may not read one of them.
        ConfigurationError: TLS is on and one of them is missing.
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
    """Return a context for TLS 1.3, and for 1.2 with authenticated encryption (AEAD) only.

    Raises:
        ConfigurationError: The files hold no certificate or no key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{certificate} and {key} are no certificate and its key: {error.strerror}.") from None
    return context
