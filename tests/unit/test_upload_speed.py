"""How slow an upload may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from maie.api.http.upload import receive_form
from maie.errors import UploadStalled
from maie.settings import Settings
from maie.tasks.files import Files
from starlette.requests import Request

BEGIN = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
END = b"\r\n--b--\r\n"
IDLE_SECONDS = 0.4


def sent(folder: Path, pieces: AsyncIterator[bytes]) -> int:
    """Size of the file that has arrived."""

    async def receive() -> dict[str, Any]:
        piece = await anext(pieces)
        return {"type": "http.request", "body": piece, "more_body": piece != END}

    async def still_alive() -> None:
        return

    settings = Settings(
        profile="embedded", data_dir=folder, asr_model=folder, upload_idle_seconds=IDLE_SECONDS, min_free_bytes=0
    )
    files = Files(folder)
    files.prepare()
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(receive_form(request, "task", files, settings, still_alive)).size


async def evenly(size: int, every: float, times: int) -> AsyncIterator[bytes]:
    yield BEGIN
    for _ in range(times):
        await asyncio.sleep(every)
        yield bytes(size)
    yield END


async def nothing() -> AsyncIterator[bytes]:
    await asyncio.sleep(30)
    yield END


def test_a_link_of_128_kbit_is_fast_enough(tmp_path: Path) -> None:
    assert sent(tmp_path, evenly(3200, 0.18, 6)) == 6 * 3200


@pytest.mark.parametrize("pieces", [nothing(), evenly(1, 0.1, 100), evenly(500, 0.1, 100)], ids=["0", "1", "500"])
def test_a_slower_one_ends_soon_after_the_time_of_grace(tmp_path: Path, pieces: AsyncIterator[bytes]) -> None:
    began = time.monotonic()
    with pytest.raises(UploadStalled):
        sent(tmp_path, pieces)
    assert IDLE_SECONDS - 0.35 < time.monotonic() - began < 5
