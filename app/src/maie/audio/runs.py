"""Frames of streams that have no magic bytes: where a run of them begins, judged by headers that fit one another.

A single header is a few bits that any noise may hold. Several in a row are no chance: all of one kind, each where the
one before says that it ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Frame(NamedTuple):
    """What a frame's header says.

    Attributes:
        demuxer: FFmpeg's name of the format.
        size: Bytes of the frame, header included.
        kind: What all frames of one stream have in common.
    """

    demuxer: str
    size: int
    kind: tuple[int, ...]


RUN_AT_START, RUN_IN_JUNK = 3, 6
"""Frames in a row that are needed at the beginning of a file, and after meaningless bytes."""

HEADER_BYTES = 10

_MPEG_KBITS = {
    # (MPEG 1, layer): kbit/s by index; 2.5 is as 2
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = (44_100, 48_000, 32_000)
_AC3_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def _mpeg(head: bytes) -> Frame | None:
    version, layer = head[1] >> 3 & 0b11, 4 - (head[1] >> 1 & 0b11)
    rate, kbits = head[2] >> 2 & 0b11, (head[2] >> 4) - 1
    if version == 0b01 or layer == 4 or rate == 0b11 or not 0 <= kbits < 14:
        return None
    mpeg_1, padding = version == 0b11, head[2] >> 1 & 1
    hertz = _MPEG_RATES[rate] >> (0 if mpeg_1 else 1 if version == 0b10 else 2)
    bits = _MPEG_KBITS[mpeg_1, layer][kbits] * 1000
    if layer == 1:
        size = (12 * bits // hertz + padding) * 4
    else:
        size = (72 if layer == 3 and not mpeg_1 else 144) * bits // hertz + padding
    return Frame("mp3", size, (version, layer, rate))


def _adts(head: bytes) -> Frame | None:
    size = (head[3] & 0b11) << 11 | head[4] << 3 | head[5] >> 5
    rate = head[2] >> 2 & 0xF
    if rate > 12 or size < 8:
        return None
    return Frame("aac", size, (head[1], head[2] & 0xFD, head[3] & 0xC0))


def _mpeg_or_adts(head: bytes) -> Frame | None:
    return _adts(head) if head[1] & 0xF6 == 0xF0 else _mpeg(head)


def _loas(head: bytes) -> Frame | None:
    size = (head[1] & 0x1F) << 8 | head[2]
    return Frame("loas", size + 3, ()) if size else None


def _ac3(head: bytes) -> Frame | None:
    rate, version = head[4] >> 6, head[5] >> 3
    if 10 < version <= 16:
        return Frame("eac3", ((head[2] & 7) << 8 | head[3]) * 2 + 2, (version, rate))
    code = head[4] & 0x3F
    if version > 10 or rate == 0b11 or code // 2 >= len(_AC3_KBITS):
        return None
    kbits = _AC3_KBITS[code // 2]
    size = (4 * kbits, 2 * (320 * kbits // 147 + code % 2), 6 * kbits)[rate]
    return Frame("ac3", size, (version, rate))


def _dts(head: bytes) -> Frame | None:
    size = ((head[5] & 0b11) << 12 | head[6] << 4 | head[7] >> 4) + 1
    return Frame("dts", size, (head[8] & 0x3C,)) if size >= 96 else None


_HEADERS: tuple[tuple[bytes, Callable[[bytes], Frame | None]], ...] = (
    (rb"\xff[\xe2-\xff]", _mpeg_or_adts),
    (rb"\x56[\xe0-\xff]", _loas),
    (rb"\x0b\x77", _ac3),
    (rb"\x7f\xfe\x80\x01", _dts),
)
"""Sync words, and who reads the header that follows from there."""

_SYNC = re.compile(b"|".join(b"(" + sync + b")" for sync, _ in _HEADERS))


def first_run(data: bytes, whole: bool) -> tuple[str, int] | None:
    """Return the demuxer and the beginning of the first frames in a row.

    Args:
        data: The first bytes of a file.
        whole: Whether they are all of it; the last frame may then be cut.
    """
    found = _SYNC.match(data)
    if found and (frame := _run(data, found, RUN_AT_START, whole)):
        return frame.demuxer, 0
    at = 1
    while found := _SYNC.search(data, at):
        if frame := _run(data, found, RUN_IN_JUNK, whole=False):
            return frame.demuxer, found.start()
        at = found.start() + 1
    return None


def begins_with_header(data: bytes) -> bool:
    """Whether the first bytes are a frame's header, whatever follows."""
    found = _SYNC.match(data)
    return found is not None and _run(data, found, 1, whole=False) is not None


def _run(data: bytes, found: re.Match[bytes], wanted: int, whole: bool) -> Frame | None:
    """Return the first frame if as many as ``wanted`` follow one another from there, or all that the file holds.

    A file that holds not even one frame as a whole has no sound in it.
    """
    sync, read_header = _HEADERS[(found.lastindex or 1) - 1]
    at, first = found.start(), None
    for _ in range(wanted):
        head = data[at : at + HEADER_BYTES]
        if whole and first and first.size <= len(data) and len(head) < HEADER_BYTES:
            return first
        if len(head) < HEADER_BYTES or not re.match(sync, head):
            return None
        frame = read_header(head)
        if frame is None or (first and (frame.demuxer, frame.kind) != (first.demuxer, first.kind)):
            return None
        first = first or frame
        at += frame.size
    return first
