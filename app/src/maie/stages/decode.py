"""Decode: an untrusted audio file becomes 16 kHz mono samples, with flat memory however long the audio is."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import NDArray

from maie.domain import SAMPLE_RATE
from maie.errors import AudioTooLong, EmptyAudio, Unavailable, UndecodableAudio
from maie.stages.container import MAX_RATE, MIN_RATE, declared_seconds, open_audio

if TYPE_CHECKING:
    import av.audio.frame

Samples = NDArray[np.float32]

MAX_BAD_PACKETS = 100
"""Undecodable packets in a row after which the rest of the file is given up."""

FIRST_UNSAFE_PLANES = 8
"""Channels in planes of their own from which on PyAV 17 and 18 read beyond a frame's end and crash the process."""

TOLERATED_SHORTFALL = 0.5
"""Seconds (or 2% of the audio) that a file may end before its header says so; encoders' padding stays below that."""


class Audio:
    """Decoded audio: 16 kHz, mono, on disk in a file that has no name, so that nothing of it can be left behind.

    Attributes:
        samples: How many there are.
        warnings: Sentences for the client on what of the file could not be decoded.
    """

    def __init__(self, file: IO[bytes], samples: int, warnings: tuple[str, ...]) -> None:
        self._file = file
        self.samples = samples
        self.warnings = warnings

    @property
    def seconds(self) -> float:
        """The length of the audio."""
        return self.samples / SAMPLE_RATE

    def window(self, start: int, end: int) -> Samples:
        """Return the samples from ``start`` to ``end`` (exclusive), clipped to the audio, as floats from -1 to 1."""
        start, end = max(0, start), min(end, self.samples)
        raw = os.pread(self._file.fileno(), 2 * max(0, end - start), 2 * start)
        return np.frombuffer(raw, dtype="<i2").astype(np.float32) / 32768.0

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def __enter__(self) -> Audio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class _Trouble:
    """What went wrong while packets were read; the audio around it still counts."""

    bad_packets: int = 0
    broke_off: bool = False


def decode(path: Path, max_seconds: float, on_progress: Callable[[float], None]) -> Audio:
    """Decode a file to 16 kHz mono; the caller closes the result.

    The samples go to an unnamed file in the folder of ``path``, or in the temporary folder where that one is read-only.
    Seconds are counted while they are decoded, so a header that lies about the length gains nothing.

    Args:
        path: The file, of any supported format.
        max_seconds: Longest audio that is taken.
        on_progress: Told the fraction done, as far as the header's length lets it be known.

    Raises:
        NotAudio: The file is of no supported format.
        EmptyAudio: No bytes, or zero seconds of audio.
        UndecodableAudio: Nothing of the file can be decoded.
        AudioTooLong: There is more than ``max_seconds``.
        Unavailable: The disk is full.
    """
    trouble = _Trouble()
    folder = path.parent if os.access(path.parent, os.W_OK) else None
    with ExitStack() as on_failure:
        file = on_failure.enter_context(tempfile.TemporaryFile(dir=folder, prefix="decode-"))
        with open_audio(path) as (container, stream):
            declared = declared_seconds(container, stream)
            blocks = _resample(_blocks(_frames(container.demux(stream), trouble)))
            samples = _write(blocks, file, max_seconds, declared, on_progress)
        if samples == 0 and (trouble.bad_packets or trouble.broke_off):
            raise UndecodableAudio
        if samples == 0:
            raise EmptyAudio("The file holds no sound.")
        on_failure.pop_all()
    return Audio(file, samples, _warnings(samples / SAMPLE_RATE, declared, trouble))


def _warnings(seconds: float, declared: float | None, trouble: _Trouble) -> tuple[str, ...]:
    if trouble.broke_off or (declared or 0) - seconds > max(TOLERATED_SHORTFALL, 0.02 * seconds):
        return (f"The file ends early or is damaged: only its first {seconds:.1f} seconds could be decoded.",)
    if trouble.bad_packets:
        return ("Parts of the file are damaged and were left out.",)
    return ()


def _write(
    blocks: Iterator[Samples],
    file: IO[bytes],
    max_seconds: float,
    declared: float | None,
    on_progress: Callable[[float], None],
) -> int:
    """Write 16 kHz samples as 16-bit integers and return how many there are."""
    written = 0
    for block in blocks:
        written += len(block)
        if written > max_seconds * SAMPLE_RATE:
            raise AudioTooLong(f"The audio is longer than {max_seconds:.0f} seconds.")
        _write_all(file, np.clip(np.rint(block * 32768.0), -32768, 32767).astype("<i2").tobytes())
        if declared:
            on_progress(min(1.0, written / SAMPLE_RATE / declared))
    return written


def _write_all(file: IO[bytes], data: bytes) -> None:
    try:
        file.write(data)
        file.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable("The disk is full.") from error
        raise


def _frames(packets: Iterator[Any], trouble: _Trouble) -> Iterator[av.audio.frame.AudioFrame]:
    """Decode packet by packet; a damaged one is counted and left out."""
    import av

    bad_in_a_row = 0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            trouble.broke_off = True
            return
        try:
            frames = packet.decode()
            bad_in_a_row = 0
        except av.FFmpegError:
            trouble.bad_packets += 1
            bad_in_a_row += 1
            if bad_in_a_row >= MAX_BAD_PACKETS:
                trouble.broke_off = True
                return
            continue
        yield from frames


def _blocks(frames: Iterator[av.audio.frame.AudioFrame]) -> Iterator[tuple[int, Samples]]:
    """Gather frames into mono blocks of about a second, each with its sample rate."""
    rate, gathered = 0, 0
    parts: list[Samples] = []
    for frame in frames:
        if not MIN_RATE <= frame.sample_rate <= MAX_RATE:
            raise UndecodableAudio(f"A sample rate of {frame.sample_rate} Hz is not supported.")
        if parts and (frame.sample_rate != rate or gathered >= rate):
            yield rate, np.concatenate(parts)
            parts, gathered = [], 0
        rate = frame.sample_rate
        parts.append(_mono(frame))
        gathered += frame.samples
    if parts:
        yield rate, np.concatenate(parts)


def _mono(frame: av.audio.frame.AudioFrame) -> Samples:
    """Return a frame's samples as the mean of its channels, finite and from -1 to 1."""
    if frame.format.is_planar and frame.layout.nb_channels >= FIRST_UNSAFE_PLANES:
        frame = _interleaved(frame)
    try:
        data = frame.to_ndarray()
    except ValueError as error:
        raise UndecodableAudio from error
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype.kind == "f":
        values = np.nan_to_num(data.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    elif data.dtype.kind == "u":
        values = (data.astype(np.float32) - 128.0) / 128.0
    else:
        values = data.astype(np.float32) / float(1 << (8 * data.dtype.itemsize - 1))
    mono: Samples = np.clip(values, -1.0, 1.0).mean(axis=0, dtype=np.float32)
    return mono


def _interleaved(frame: av.audio.frame.AudioFrame) -> av.audio.frame.AudioFrame:
    """Return the same samples with the channels side by side in one plane."""
    import av

    packer = av.AudioResampler(format=frame.format.packed.name, layout=frame.layout, rate=frame.sample_rate)
    return packer.resample(frame)[0]


def _resample(blocks: Iterator[tuple[int, Samples]]) -> Iterator[Samples]:
    """Bring all blocks to 16 kHz; a file whose rate changes on the way gets a new resampler there."""
    rate, stream = SAMPLE_RATE, None
    for block_rate, block in blocks:
        if block_rate != rate:
            if stream is not None:
                yield stream.resample_chunk(np.empty(0, np.float32), last=True)
            rate = block_rate
            stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        yield block if stream is None else stream.resample_chunk(block)
    if stream is not None:
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)
