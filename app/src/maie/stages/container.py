"""Opening an untrusted audio file: what it is by its own first bytes, and a decoder that can't be led elsewhere.

FFmpeg guesses formats, and some of what it guesses are scripts that name other files or addresses (HLS, ffconcat, SDP).
Here the format is decided from the file's magic bytes, the decoder is told that one format and no other, and only local
files and known audio codecs are open to it.

This module is imported by the short-lived probe process too: it stays light (no numpy).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from maie.errors import EmptyAudio, NotAudio, UndecodableAudio

if TYPE_CHECKING:
    import av.audio.stream
    import av.container


class Source(Protocol):
    """What is enough of a file to be decoded."""

    def read(self, size: int) -> bytes:
        """Read up to so many bytes."""

    def seek(self, offset: int, whence: int = ...) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Tell the place."""


MIN_RATE, MAX_RATE = 1_000, 768_000
"""Sample rates that are taken, in samples per second; anything else is a broken or hostile header."""

MAX_ID3_TAGS = 4
IO_TIMEOUT_SECONDS = 10.0

CODECS = (
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,"
    "pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,gsm_ms,mp3,mp3float,mp2,mp2float,flac,aac,aac_latm,alac,vorbis,opus,"
    "libopus,libvorbis"
)
OPTIONS = {"protocol_whitelist": "file", "codec_whitelist": CODECS, "enable_drefs": "0"}


def sniff(path: Path) -> str:
    """Return the FFmpeg demuxer for a file, decided from the file's own first bytes.

    Raises:
        EmptyAudio: The file has no bytes.
        NotAudio: The bytes are no container of a supported format.
    """
    with path.open("rb") as file:
        head = file.read(16)
        if not head:
            raise EmptyAudio("The file is empty.")
        offset, tags = 0, 0
        while head.startswith(b"ID3") and len(head) >= 10 and tags < MAX_ID3_TAGS:
            offset, tags = offset + _id3_size(head), tags + 1
            file.seek(offset)
            head = file.read(16)
        if tags:
            head = (head + file.read(64 * 1024)).lstrip(b"\0")[:16]
    if tags and not head:
        raise UndecodableAudio("The file holds a tag and no audio.")
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[4:8] == b"ftyp":
        return "mov"
    return _sniff_mpeg(head)


def _id3_size(head: bytes) -> int:
    """Return the bytes that an ID3v2 tag takes, its header and footer included."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _sniff_mpeg(head: bytes) -> str:
    """Return the demuxer for bare MPEG audio frames, which have no magic bytes but a strict frame header."""
    if len(head) < 4 or head[0] != 0xFF:
        raise NotAudio
    if head[1] & 0xF6 == 0xF0 and (head[2] >> 2 & 0xF) < 13:
        return "aac"
    layer_2_or_3 = head[1] & 0xE0 == 0xE0 and head[1] >> 1 & 0b11 in (0b01, 0b10)
    known_version = head[1] >> 3 & 0b11 != 0b01
    known_rate = head[2] >> 4 not in (0x0, 0xF) and head[2] >> 2 & 0b11 != 0b11
    if layer_2_or_3 and known_version and known_rate:
        return "mp3"
    raise NotAudio


@contextmanager
def open_container(path: Path, source: Source | None = None) -> Iterator[av.container.InputContainer]:
    """Open a file for decoding.

    Args:
        path: The file.
        source: What is read in its place, where some of its bytes have to be put right first.

    Raises:
        NotAudio, EmptyAudio: See :func:`sniff`.
        UndecodableAudio: The container can't be read.
    """
    import av

    demuxer = sniff(path)
    options = {**OPTIONS, "format_whitelist": demuxer}
    try:
        file = f"file:{path.resolve()}" if source is None else source
        container = av.open(file, "r", demuxer, options, timeout=IO_TIMEOUT_SECONDS)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise UndecodableAudio from error
    with closing(container):
        for stream in container.streams.audio:
            if stream.codec_context is not None:
                stream.codec_context.thread_count = 1
        yield container


@contextmanager
def open_audio(path: Path) -> Iterator[tuple[av.container.InputContainer, av.audio.stream.AudioStream]]:
    """Open a file for decoding, together with its first audio stream that can be decoded; raises as the above."""
    with open_container(path) as container:
        yield container, _audio_stream(container)


def _audio_stream(container: av.container.InputContainer) -> av.audio.stream.AudioStream:
    """Return the first audio stream that can be decoded."""
    streams = container.streams.audio
    stream = next((s for s in streams if can_be_decoded(s)), None)
    if stream is not None:
        return stream
    codec = next((s.codec_context.name for s in streams if s.codec_context is not None), None)
    raise UndecodableAudio(
        "The file holds no audio that can be decoded." if codec is None else f"Audio in {codec!r} is not supported."
    )


def can_be_decoded(stream: av.audio.stream.AudioStream) -> bool:
    """Tell whether a track is in a codec that is taken."""
    return stream.codec_context is not None and stream.codec_context.name in CODECS.split(",")


def declared_seconds(container: av.container.InputContainer, stream: av.audio.stream.AudioStream) -> float | None:
    """Return when the track ends by what the file's header claims, in seconds from the start of the container.

    Where the header tells nothing of the track, the end of the longest one; None where it claims nothing at all.
    """
    begins = (container.start_time or 0) / 1_000_000
    if stream.duration is not None and stream.time_base is not None:
        start = float((stream.start_time or 0) * stream.time_base) - begins
        return max(0.0, start) + float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    counts_from_zero = "matroska" in container.format.name
    return container.duration / 1_000_000 - (begins if counts_from_zero else 0.0)
