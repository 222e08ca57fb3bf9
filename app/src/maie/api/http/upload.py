"""Reads a multipart upload as it arrives: the file straight to disk, the fields into memory, everything bounded.

The file's bytes are counted while they arrive, whatever the client declares, and the client's name for the file never
becomes a path.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from maie.api.http.request_body import DISK_RETRY_AFTER, declared_size, receive_body, require_room
from maie.errors import InvalidRequest, Unavailable, UploadTooLarge
from maie.settings import Settings
from maie.tasks.files import Files, sync_folder

FILE_FIELD = "file"
MAX_PARTS = 32
MAX_FIELD_BYTES = 2048
MAX_FILENAME_LENGTH = 255
ENVELOPE_BYTES = 256 * 1024
"""Bytes that a body may have besides the file: boundaries, headers of parts, fields."""


@dataclass
class Form:
    """What an upload held.

    Attributes:
        filename: The client's name for the file, safe to show; None until a file has come.
        size: Bytes of the file.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    filename: str | None = None
    size: int = 0


class FormParser:
    """Takes the body piece by piece; writes the file to ``target``."""

    def __init__(self, boundary: bytes, target: Path, max_bytes: int) -> None:
        self.form = Form()
        self.complete = False
        self._target = target
        self._max_bytes = max_bytes
        self._parts = 0
        self._file: BinaryIO | None = None
        self._in_file = False
        self._name = ""
        self._value = b""
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def write(self, data: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            InvalidRequest: It is not what the API's form may hold.
            UploadTooLarge: The file has more bytes than it may.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise InvalidRequest("The body is not well-formed multipart/form-data.") from None

    def close(self) -> None:
        """Sync the file to the disk and close it."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
            sync_folder(self._target.parent)
            sync_folder(self._target.parent.parent)

    def abandon(self) -> None:
        """Close the file of an upload that has failed."""
        if self._file is not None:
            self._file.close()

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts.")
        self._disposition = self._value = self._header_name = self._header_value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or not options.get(b"name"):
            raise InvalidRequest("A part of the form has no name.")
        self._name = options[b"name"].decode("utf-8", "replace")
        self._in_file = self._name == FILE_FIELD
        if not self._in_file:
            return
        if self.form.filename is not None:
            raise InvalidRequest("The form holds more than one file.")
        self.form.filename = shown_name(options.get(b"filename", b""))
        self._target.parent.mkdir(mode=0o750)
        self._file = self._target.open("xb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.form.size += end - start
            if self.form.size > self._max_bytes:
                raise UploadTooLarge(f"The file is larger than the {self._max_bytes} bytes that are accepted.")
            if self._file is not None:
                self._file.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise InvalidRequest(f"A field of the form has more than {MAX_FIELD_BYTES} bytes.")

    def _on_part_end(self) -> None:
        if not self._in_file:
            self.form.fields.setdefault(self._name, []).append(self._value.decode("utf-8", "replace").strip())

    def _on_end(self) -> None:
        self.complete = True


def shown_name(raw: bytes) -> str:
    """Return the client's name for a file, made safe to show: without folders and control characters, and short."""
    text = raw.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in text if char.isprintable())[:MAX_FILENAME_LENGTH]


async def receive_form(
    request: Request, task_id: str, files: Files, settings: Settings, still_alive: Callable[[], Awaitable[None]]
) -> Form:
    """Read the request's body into the task's upload folder and a form.

    Awaits ``still_alive`` every few seconds while bytes arrive.

    Raises:
        InvalidRequest: The body is not the form that the API takes.
        UploadTooLarge: It is larger than it may be.
        UploadStalled: It arrives too slowly.
        Unavailable: The disk has no room for it.
        ClientGone: The client went away.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequest("The body must be multipart/form-data.")
    accepted = settings.max_upload_bytes
    declared = declared_size(request, accepted, ENVELOPE_BYTES)
    await run_in_threadpool(require_room, files, settings, declared)
    try:
        parser = FormParser(options[b"boundary"], files.audio(task_id), accepted)
    except FormParserError:
        raise InvalidRequest("The boundary of the form is too long.") from None
    try:
        await receive_body(request, parser.write, accepted, files, settings, still_alive, ENVELOPE_BYTES)
        if not parser.complete:
            raise InvalidRequest("The form ends before its closing boundary.")
        if parser.form.filename is None:
            raise InvalidRequest(f"The form has no part named {FILE_FIELD}.")
        await run_in_threadpool(parser.close)
    except OSError as error:
        raise Unavailable("The upload can't be stored at present.", retry_after=DISK_RETRY_AFTER) from error
    finally:
        parser.abandon()
    return parser.form
