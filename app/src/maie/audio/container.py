"""Opens an untrusted audio file with the demuxer that its bytes call for, and with nothing else in reach.

FFmpeg guesses formats, and some of them are scripts that name other files or addresses (HLS, ffconcat, SDP).
Here the format is decided from the file's content (:mod:`maie.audio.sniff`), the library is told that one demuxer and
the codecs below and no other, and it reads from a descriptor that is open already: it has no means to open anything.

This module is imported by the short-lived probe process too: it stays light (no numpy).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from maie.audio.sniff import sniff
from maie.errors import TrackNotFound, UndecodableAudio

if TYPE_CHECKING:
    import av.audio.stream
    import av.container


class Source(Protocol):
    """The part of a file's interface that decoding needs."""

    def read(self, size: int) -> bytes:
        """Read up to so many bytes."""

    def seek(self, offset: int, whence: int = ...) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Tell the place."""


MIN_RATE, MAX_RATE = 1_000, 768_000
"""Sample rates that are taken, in samples per second; anything else is a broken or hostile header."""

BARE = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mp3")
"""Demuxers of streams without a header. An MP3 may have one of its encoder's, with which it starts late."""

IO_TIMEOUT_SECONDS = 10.0

CODECS = frozenset(
    # WAV, AIFF, CAF, AVI, QuickTime, discs: samples as they are
    """
    pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be
    pcm_alaw pcm_mulaw pcm_bluray pcm_dvd dsd_lsbf dsd_msbf dsd_lsbf_planar dsd_msbf_planar
    """
    # music and video
    """
    aac aac_latm ac3 eac3 dca mp1 mp1float mp2 mp2float mp3 mp3float opus libopus vorbis
    wmav1 wmav2 wmapro wmalossless alac ape flac mpc8 tta wavpack
    """
    # phones, dictation machines, meeting rooms
    """
    adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha amrnb amrwb libopencore_amrnb libopencore_amrwb dss_sp
    g722 g723_1 g726 g726le g729 gsm gsm_ms nellymoser speex truespeech wmavoice
    """.split()
)
"""The allowed decoders of FFmpeg."""

ENCRYPTED = ("enca", "drms")
"""How MP4 and QuickTime mark an encrypted track."""


@contextmanager
def open_container(path: Path, source: Source | None = None) -> Iterator[av.container.InputContainer]:
    """Open a file for decoding; as :func:`open_file`."""
    with path.open("rb") as file, open_file(file, source) as container:
        yield container


@contextmanager
def open_file(file: BinaryIO, source: Source | None = None) -> Iterator[av.container.InputContainer]:
    """Open a file for decoding that is open already.

    Args:
        file: The file.
        source: What to read instead, where some bytes have to be corrected.

    Raises:
        NotAudio, EmptyAudio: See :func:`maie.audio.sniff.sniff`.
        UndecodableAudio: The container can't be read.
    """
    import av

    demuxer = sniff(file)
    options = {
        "fd": str(file.fileno()),
        "skip_initial_bytes": str(file.tell()),
        "protocol_whitelist": "fd",
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join(CODECS),
    }
    if demuxer == "mov":
        options["enable_drefs"] = "0"
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    try:
        container = av.open(source or "fd:", "r", demuxer, options, timeout=IO_TIMEOUT_SECONDS)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise UndecodableAudio from error
    with closing(container):
        for stream in container.streams.audio:
            if stream.codec_context is not None:
                stream.codec_context.thread_count = 1
        yield container


def usable_tracks(
    container: av.container.InputContainer, wanted: int | None = None
) -> list[av.audio.stream.AudioStream]:
    """Return the audio tracks that can be decoded, at least one; or only the wanted one.

    Args:
        container: The open file.
        wanted: Number among all audio tracks of the file, from 1.

    Raises:
        TrackNotFound: There is no such track.
        UndecodableAudio: No track, or not the one that is wanted, can be decoded.
    """
    tracks = list(container.streams.audio)
    if wanted is not None and not 1 <= wanted <= len(tracks):
        count = f"{len(tracks)} audio track{'' if len(tracks) == 1 else 's'}"
        raise TrackNotFound(f"There is no track {wanted}: the file has {count}.")
    asked = tracks if wanted is None else [tracks[wanted - 1]]
    usable = [track for track in asked if can_be_decoded(track)]
    if not usable:
        raise UndecodableAudio(_why_none(container, asked))
    return usable


def packets(container: av.container.InputContainer, *streams: av.audio.stream.AudioStream) -> Iterator[Any]:
    """Yield the packets of these streams, or of all.

    Streams may appear in the middle, as in transport streams. PyAV does not know them, and may fail on them at the end
    of the file, when it has flushed all others.
    """
    with suppress(IndexError):
        yield from container.demux(*streams)


def can_be_decoded(stream: av.audio.stream.AudioStream) -> bool:
    """Whether a stream is in a codec that may be used, and not encrypted."""
    return stream.codec_context is not None and stream.codec_context.name in CODECS and not _is_encrypted(stream)


def _is_encrypted(stream: av.audio.stream.AudioStream) -> bool:
    try:
        return stream.codec_context is not None and stream.codec_context.codec_tag in ENCRYPTED
    except UnicodeDecodeError:  # a tag that is a number, as in WAV
        return False


def _why_none(container: av.container.InputContainer, streams: list[av.audio.stream.AudioStream]) -> str:
    """Return a sentence on a file none of whose tracks can be decoded, without quoting any of it."""
    if not streams:
        return f"The file holds {'a video and ' if container.streams.video else ''}no audio."
    if any(map(_is_encrypted, streams)):
        return "The file is DRM-protected."
    codecs = [stream.codec_context.codec for stream in streams if stream.codec_context is not None]
    named = f"the codec {codecs[0].name} ({codecs[0].long_name})" if codecs else "a codec that is not known here"
    return (
        f"The audio is in {named}, in a file of the format {container.format.long_name}, which is not supported. "
        "Convert it, for example with: ffmpeg -i RECORDING -vn -ac 1 -ar 16000 recording.wav"
    )


def declared_seconds(container: av.container.InputContainer, stream: av.audio.stream.AudioStream) -> float | None:
    """Return when the track ends according to the header, in seconds from the start of the container.

    Where the header says nothing of the track, it is the end of the longest one; None where it says nothing at all:
    FFmpeg then guesses from the beginning, which silence misleads. Matroska and ASF count from 0, and not from
    the start of what they hold.
    """
    name = container.format.name
    if name in BARE and not (name == "mp3" and stream.start_time):
        return None
    begins = (container.start_time or 0) / 1_000_000
    if stream.duration is not None and stream.time_base is not None:
        start = 0.0 if name == "asf" else max(0.0, float((stream.start_time or 0) * stream.time_base) - begins)
        return start + float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    return container.duration / 1_000_000 - (begins if "matroska" in name else 0.0)
