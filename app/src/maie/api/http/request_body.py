"""Reads a request's body piece by piece: counted while it arrives, and within a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from maie.api.http.auth_middleware import ClientGone
from maie.errors import Unavailable, UploadStalled, UploadTooLarge
from maie.settings import Settings
from maie.tasks.files import Files

LEAST_BYTES_PER_SECOND = 15_000
"""Least average speed, in bytes per second, after the first ``upload_idle_seconds``. What is slower only blocks a place
in the queue; a link of 128 kbit/s carries more."""

RENEWAL_SECONDS = 5.0
"""How often the place of an upload is renewed until its task is queued."""

DISK_RETRY_AFTER = 60


def declared_size(request: Request, accepted: int, envelope: int = 0) -> int:
    """Return the size that the request declares; 0 where it declares none.

    Args:
        request: The request.
        accepted: Bytes that are accepted.
        envelope: Bytes that may come on top.

    Raises:
        UploadTooLarge: It is more than that.
    """
    declared = int(request.headers.get("content-length", "0"))
    if declared > accepted + envelope:
        raise _too_large(accepted)
    return declared


async def receive_body(
    request: Request,
    take: Callable[[bytes], object],
    accepted: int,
    files: Files,
    settings: Settings,
    still_alive: Callable[[], Awaitable[None]],
    envelope: int = 0,
) -> None:
    """Give each piece of the body to ``take``, in a thread, and await ``still_alive`` every few seconds meanwhile.

    Raises:
        UploadTooLarge: More bytes come than ``accepted`` and ``envelope``.
        UploadStalled: They come too slowly.
        Unavailable: The disk has no room for uploads any more.
        ClientGone: The client went away.
    """
    received = 0
    started = renewed = time.monotonic()
    while True:
        slowest = started + settings.upload_idle_seconds + received / LEAST_BYTES_PER_SECOND
        patience = min(settings.upload_idle_seconds, slowest - time.monotonic())
        try:
            message = await asyncio.wait_for(request.receive(), patience)
        except asyncio.TimeoutError:
            raise UploadStalled from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if received > accepted + envelope:
            raise _too_large(accepted)
        await run_in_threadpool(take, chunk)
        if not message.get("more_body", False):
            return
        now = time.monotonic()
        if now - renewed > RENEWAL_SECONDS:
            renewed = now
            await still_alive()
            await run_in_threadpool(require_room, files, settings, 0)


def require_room(files: Files, settings: Settings, size: int) -> None:
    """Check that the disk has room for this many bytes.

    Raises:
        Unavailable: It has no room.
    """
    if files.free_bytes() - size < settings.min_free_bytes:
        raise Unavailable("The disk has no room for uploads at present.", retry_after=DISK_RETRY_AFTER)


def _too_large(accepted: int) -> UploadTooLarge:
    return UploadTooLarge(f"The request is larger than the {accepted} bytes that are accepted.")
