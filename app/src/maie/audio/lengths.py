"""Lengths: how much sound a file's header declares, and how much there is.

A recorder that dies leaves a header with too short a length, and a transfer that breaks off leaves one with too long a
length. FFmpeg believes the first and ignores the second, so chunks are checked here. Recorders that write into a pipe
put a very large length, or none, which means nothing.

This module is imported by the short-lived probe process too: it stays light (no numpy).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from maie.audio.sniff import sniff
from maie.errors import MaieError

LEAST_UNKNOWN = 1_999_000_000
"""Bytes from which on a length was never filled in: 2e9, 2^31 - 1, 2^32 - 1 and the like."""

MAX_CHUNKS = 10_000
TAIL = 8 << 20
"""Bytes at the end of a file in which its last page or cluster is looked for."""

PIECE = 1 << 20
LEAST_PADDING = 64
"""From this many zeros on, the end of a file is not part of the recording."""

CLUSTER = b"\x1f\x43\xb6\x75"
SEEK_ENTRY = b"\x53\xab\x84"
"""The id of a Matroska cluster, and the bytes before an id in an index of elements."""

NOTES = (b"LIST", b"INFO", b"ID3 ", b"BEXT", b"IXML", b"FACT", b"CUE ", b"SMPL", b"PEAK", b"JUNK", b"PAD ", b"TAG")
"""Chunks that editors append to the sound, whatever length they declare."""


@dataclass(frozen=True)
class Form:
    """How a container lays out its chunks.

    Attributes:
        first: Where the first chunk begins.
        id_bytes: Bytes of a chunk's name.
        size: The format of its length, for :mod:`struct`.
        counts_head: Whether the length counts name and length too.
        align: Alignment of chunks, in bytes.
        sound: Name of the chunk that holds the sound.
        base: Where in the file the container begins.
    """

    first: int
    id_bytes: int
    size: str
    counts_head: bool
    align: int
    sound: bytes
    base: int = 0


RIFF = Form(12, 4, "<I", False, 2, b"data")
RIFX = Form(12, 4, ">I", False, 2, b"data")
W64 = Form(40, 16, "<Q", True, 8, b"data")
AIFF = Form(12, 4, ">I", False, 2, b"SSND")
CAF = Form(8, 4, ">q", False, 1, b"data")


@dataclass(frozen=True)
class Sound:
    """The bytes of the sound in a container of chunks.

    Attributes:
        declared: How many the header tells.
        present: How many there are, up to the end of the file or what follows the sound.
        patch: Where in the file the length stands, and what should stand there.
    """

    declared: int
    present: int
    patch: tuple[int, bytes]

    @property
    def is_longer(self) -> bool:
        """Whether there is more than the header tells."""
        return self.present > self.declared


def sound_of(path: Path) -> Sound | None:
    """Return what the header says of the sound, or None where it says nothing."""
    with path.open("rb") as file:
        begin = _begin(file)
        head = file.read(40)
        form = _form(head)
        end = file.seek(0, os.SEEK_END)
        if head[:4] == b".snd" and len(head) >= 12:
            first, declared = struct.unpack(">II", head[4:12])
            known = 0 < declared < LEAST_UNKNOWN and begin + first < end
            return Sound(declared, end - begin - first, (begin + 8, b"")) if known else None
        return _sound(file, replace(form, base=begin), end, head[:4] in (b"RF64", b"BW64")) if form else None


def is_chunked(path: Path) -> bool:
    """Tell whether :func:`sound_of` knows the container, even if the header tells nothing."""
    with path.open("rb") as file:
        _begin(file)
        head = file.read(40)
        return head[:4] == b".snd" or _form(head) is not None


def _begin(file: BinaryIO) -> int:
    """Seek to where the recording begins, after stray bytes, and return the place.

    For a file that is refused that is its beginning; opening it for decoding says why.
    """
    try:
        sniff(file)
    except MaieError:
        file.seek(0)
    return file.tell()


def _form(head: bytes) -> Form | None:
    if head[:4] == b"RIFX":
        return RIFX
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return RIFF
    if head[:4] == b"riff" and head[24:28] == b"wave":
        return W64
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    return CAF if head[:4] == b"caff" else None


def _sound(file: BinaryIO, form: Form, end: int, is_rf64: bool) -> Sound | None:
    width = struct.calcsize(form.size)
    place, field, long_size = form.base + form.first, 0, None
    for _ in range(MAX_CHUNKS):
        name, size = _chunk(file, form, place) if place < end else (b"", None)
        if size is None or size < 0:
            return None
        begin = place + form.id_bytes + width
        if is_rf64 and name == b"ds64":
            file.seek(begin + 8)
            field, long_size = begin + 8, int.from_bytes(file.read(8), "little")
        if name == form.sound:
            break
        place = _next(form, place, size)
    else:
        return None
    in_long = long_size is not None and size == 0xFFFFFFFF
    declared = long_size if in_long and long_size is not None else size
    if not 0 < declared < LEAST_UNKNOWN:
        return None
    # Many programs leave out the byte of padding.
    behind = {begin + declared, _next(form, place, declared)}
    if declared < end - begin and (
        any(_are_chunks(file, form, at, end) for at in behind) or _is_zero(file, begin + declared, end)
    ):
        return Sound(declared, declared, (begin, b""))
    present = end - begin
    written = present + (form.id_bytes + width if form.counts_head else 0)
    written = min(written, 0xFFFFFFFF) if width == 4 else written
    patch = (field, struct.pack("<Q", present)) if in_long else (begin - width, struct.pack(form.size, written))
    return Sound(declared, present, patch)


def _chunk(file: BinaryIO, form: Form, place: int) -> tuple[bytes, int | None]:
    """Return name and length of the chunk at a place, without its head; no length where there is none."""
    file.seek(place)
    width = struct.calcsize(form.size)
    head = file.read(form.id_bytes + width)
    if len(head) < form.id_bytes + width:
        return b"", None
    size: int = struct.unpack(form.size, head[form.id_bytes :])[0]
    return head[:4], size - len(head) if form.counts_head else size


def _next(form: Form, place: int, size: int) -> int:
    """Return where the chunk behind one of this length begins."""
    end = place + form.id_bytes + struct.calcsize(form.size) + size
    return end + (form.base - end) % form.align


def _are_chunks(file: BinaryIO, form: Form, place: int, end: int) -> bool:
    """Tell whether what follows the sound is chunks, and not more of the sound."""
    for _ in range(MAX_CHUNKS):
        if end - place < form.id_bytes + struct.calcsize(form.size):
            break
        name, size = _chunk(file, form, place)
        if name.upper().startswith(NOTES):
            return True
        if size is None or size < 0 or not all(0x20 <= byte < 0x7F for byte in name) or place + size > end:
            return False
        place = _next(form, place, size)
    return True


def _is_zero(file: BinaryIO, place: int, end: int) -> bool:
    """Tell whether there is nothing but zeros from a place on, as recorders leave it that reserve room ahead."""
    file.seek(place)
    while place < end and (piece := file.read(PIECE)):
        if piece.strip(b"\0"):
            return False
        place += len(piece)
    return True


class Corrected:
    """A file with some bytes replaced, as far as PyAV needs a file."""

    def __init__(self, path: Path, patch: tuple[int, bytes]) -> None:
        self._file = path.open("rb")
        self._first, self._bytes = patch

    def read(self, size: int) -> bytes:
        """Read as a file does."""
        place = self._file.tell()
        data = self._file.read(size)
        first, last = max(place, self._first), min(place + len(data), self._first + len(self._bytes))
        if first >= last:
            return data
        put = self._bytes[first - self._first : last - self._first]
        return data[: first - place] + put + data[last - place :]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the place as a file does."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def breaks_off(path: Path) -> bool:
    """Tell whether an Ogg, Matroska or MPEG-TS file ends in the middle of what it began; of others nothing is known."""
    with path.open("rb") as file:
        begin = _begin(file)
        head = file.read(193)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(begin, end - TAIL))
        tail = file.read()
    if head[:4] == b"OggS":
        return _ends_in_page(tail)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _ends_in_cluster(tail)
    return head[:1] == head[188:189] == b"G" and (end - begin) % 188 != 0


def _ends_in_page(tail: bytes) -> bool:
    """Tell whether an Ogg file's last page is incomplete; a live recording lacks an end mark, but not half a page."""
    start = tail.rfind(b"OggS")
    if start < 0:
        return False
    body = start + 27 + (tail[start + 26] if len(tail) > start + 26 else 0)
    return len(tail) < body or len(tail) < body + sum(tail[start + 27 : body])


def _ends_in_cluster(tail: bytes) -> bool:
    """Tell whether the last block of the last cluster of a Matroska file is not all there."""
    recorded = tail.rstrip(b"\0")
    tail = recorded if len(tail) - len(recorded) >= LEAST_PADDING else tail
    cluster = tail.rfind(CLUSTER)
    while cluster > 0 and tail[:cluster].endswith(SEEK_ENTRY):
        cluster = tail.rfind(CLUSTER, 0, cluster)
    if cluster < 0:
        return False
    place = _element(tail, cluster)[0]
    while place < len(tail):
        place, size = _element(tail, place)
        if size is None:
            return place > len(tail)
        place += size
    return place > len(tail)


def _element(data: bytes, place: int) -> tuple[int, int | None]:
    """Return where an EBML element's content begins, and its length; no length where it is unknown."""
    for is_size in (False, True):
        if place >= len(data) or data[place] == 0:
            return len(data) + 1, None
        width = 9 - data[place].bit_length()
        value = int.from_bytes(data[place : place + width], "big") & ((1 << 7 * width) - 1)
        place += width
        if is_size and value == (1 << 7 * width) - 1:
            return place, None
    return place, value
