"""Filters of certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization


def names_of(certificate: x509.Certificate) -> set[str]:
    """Return a certificate's names and addresses, as ``DNS:name`` and ``IP:address``."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    dns = {f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)}
    return dns | {f"IP:{address}" for address in names.get_values_for_type(x509.IPAddress)}


def load_pair(certificate: str, key: str) -> x509.Certificate:
    """Return a certificate, read with its key.

    Raises:
        OSError: One of the files can't be read.
        ValueError: One of them is invalid, or they do not belong together.
        TypeError: The key has a password.
    """
    found = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    private = serialization.load_pem_private_key(Path(key).read_bytes(), password=None)
    if private.public_key() != found.public_key():
        raise ValueError("the key is another certificate's")
    return found


def certificate_fault(certificate: str, key: str) -> str:
    """Return why a certificate's files can't be used; empty if they can."""
    try:
        load_pair(certificate, key)
    except (OSError, ValueError, TypeError) as error:
        return str(error)
    return ""


def certificate_holds(issued: str, authority: str, names: Sequence[str], days: int) -> bool:
    """Return whether a host's certificate needs no renewal.

    Args:
        issued: Path of the certificate and its key, without ``.pem`` and ``.key``.
        authority: Path of the authority's certificate.
        names: The names and addresses that the certificate must have.
        days: How long it must stay valid from now on.
    """
    try:
        certificate = load_pair(f"{issued}.pem", f"{issued}.key")
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(Path(authority).read_bytes()))
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    ends = certificate.not_valid_after_utc > datetime.now(timezone.utc) + timedelta(days=days)
    return ends and names_of(certificate) == set(names)


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"certificate_fault": certificate_fault, "certificate_holds": certificate_holds}
