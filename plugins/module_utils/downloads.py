"""Downloads that are verified, or refused with the cause."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.error import URLError

from ansible.module_utils.urls import open_url

PIECE = 1 << 20
HEAD = 512


class Refused(ValueError):
    """The download is not the wanted file; the text is the cause."""


def fetch(url: str, target: Path, sha256: str, seconds: int = 60) -> None:
    """Download a file, which appears as ``target`` only if its SHA-256 matches.

    Args:
        url: ``https://``, ``http://`` or ``file://``.
        target: Where it goes; its folder exists.
        sha256: The SHA-256 that it must have.
        seconds: Time without a byte after which the connection counts as lost.

    Raises:
        Refused: The server did not answer, or sent something else; the text says what it looks like.
    """
    part = target.with_name(f"{target.name}.part")
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        answer = open_url(url, timeout=seconds)
        expected = answer.headers.get("Content-Length")
        with part.open("wb") as file:
            while piece := read(answer):
                head = head or piece[:HEAD]
                digest.update(piece)
                size += file.write(piece)
    except (URLError, OSError) as error:
        raise Refused(f"{url} can't be downloaded: {error}") from error
    if digest.hexdigest() == sha256:
        part.replace(target)
        return
    part.unlink()
    raise Refused(cause(url, sha256, digest.hexdigest(), size, expected, head))


def read(answer: Any) -> bytes:
    """Return the next piece; a connection that is closed early counts as the end, which the checksum then detects."""
    try:
        piece: bytes = answer.read(PIECE)
    except OSError:
        return b""
    return piece


def cause(url: str, wanted: str, got: str, size: int, expected: str | None, head: bytes) -> str:
    """Return the message for a download whose SHA-256 is wrong."""
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return f"{url} answered with a web page instead of the file: a login, a proxy or an error page."
    if expected and expected.isdigit() and int(expected) > size:
        return f"The download of {url} ended after {size} of {expected} bytes. Run again."
    return (
        f"{url} is not what the recipe names: its SHA-256 is {got} ({size} bytes) instead of {wanted}. Either the file "
        "was replaced at its source, or it was damaged in transit."
    )
