"""Frames: the packets of an untrusted file become samples of all channels, in blocks for the mixer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maie.audio.container import MAX_RATE, MIN_RATE
from maie.audio.levels import Samples
from maie.audio.mixing import Mixer
from maie.errors import UndecodableAudio

if TYPE_CHECKING:
    import av.audio.frame

    Frame = av.audio.frame.AudioFrame


MAX_BAD_PACKETS = 100
"""Undecodable packets in a row after which the rest of the file is given up."""

FIRST_UNSAFE_PLANES = 8
"""From this many planar channels on, PyAV 17 and 18 read beyond a frame's end and crash the process."""

LOUDEST = 100.0
"""Floats may exceed full scale (1), as those of 32-bit recorders do; beyond this they are garbage."""


@dataclass
class Trouble:
    """What went wrong while packets were read; the audio around it is still used.

    Attributes:
        bad_packets: How many could not be decoded.
        broke_off: Whether the rest of the file was given up.
        ends_in_packet: Whether the last packet is not all there.
    """

    bad_packets: int = 0
    broke_off: bool = False
    ends_in_packet: bool = False


@dataclass(frozen=True)
class Mono:
    """Samples of one channel.

    Attributes:
        start: When they begin, in seconds; None where they follow the ones before.
    """

    samples: Samples
    rate: int
    start: float | None


def decoded(packets: Iterator[Any], trouble: Trouble) -> Iterator[Frame]:
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
        if packet.size:
            trouble.ends_in_packet = packet.is_corrupt
        try:
            frames = packet.decode()
            bad_in_a_row = 0
        except av.FFmpegError:
            trouble.ends_in_packet = True
            trouble.bad_packets += 1
            bad_in_a_row += 1
            if bad_in_a_row >= MAX_BAD_PACKETS:
                trouble.broke_off = True
                return
            continue
        yield from frames


def mixed(placed: Iterator[tuple[float | None, Frame]]) -> Iterator[Mono]:
    """Gather frames into blocks of about a second, and mix the channels of each.

    Raises:
        UndecodableAudio: The file has a sample rate that can't be.
    """
    gatherer: _Gatherer | None = None
    for start, frame in placed:
        if not MIN_RATE <= frame.sample_rate <= MAX_RATE:
            raise UndecodableAudio(f"A sample rate of {frame.sample_rate} Hz is not supported.")
        kind = frame.layout.nb_channels, frame.sample_rate, frame.format.name
        if gatherer is not None and (start is not None or gatherer.kind != kind):
            yield from gatherer.rest()
        if gatherer is None or gatherer.kind != kind:
            gatherer = _Gatherer(kind)
        yield from gatherer.add(raw_channels(frame), start)
    if gatherer is not None:
        yield from gatherer.rest()


class _Gatherer:
    """Makes blocks of the length that the mixer wants."""

    def __init__(self, kind: tuple[int, int, str]) -> None:
        self.kind = kind
        self._mixer = Mixer(kind[0], kind[1])
        self._parts: list[NDArray[Any]] = []
        self._gathered = 0
        self._start: float | None = None

    def add(self, part: NDArray[Any], start: float | None) -> Iterator[Mono]:
        """Take a frame's samples, and yield the blocks that are full."""
        self._start = self._start if start is None else start
        self._parts.append(part)
        self._gathered += part.shape[1]
        if self._gathered >= self._mixer.length:
            whole = np.concatenate(self._parts, axis=1)
            full = whole.shape[1] // self._mixer.length * self._mixer.length
            self._parts, self._gathered = [whole[:, full:]], whole.shape[1] - full
            for first in range(0, full, self._mixer.length):
                yield self._mono(whole[:, first : first + self._mixer.length])

    def rest(self) -> Iterator[Mono]:
        """Yield what is left, before a gap or at the end."""
        if self._gathered:
            yield self._mono(np.concatenate(self._parts, axis=1))
        self._parts, self._gathered = [], 0

    def _mono(self, block: NDArray[Any]) -> Mono:
        start, self._start = self._start, None
        return Mono(self._mixer.mix(as_floats(block)), self.kind[1], start)


def raw_channels(frame: Frame) -> NDArray[Any]:
    """Return a frame's samples in their own format, of shape (channels, samples).

    Raises:
        UndecodableAudio: They are in a format that can't be read.
    """
    if frame.format.is_planar and frame.layout.nb_channels >= FIRST_UNSAFE_PLANES:
        frame = _interleaved(frame)
    try:
        data = frame.to_ndarray()
    except ValueError as error:
        raise UndecodableAudio from error
    return data if frame.format.is_planar else data.reshape(-1, frame.layout.nb_channels).T


def as_floats(data: NDArray[Any]) -> Samples:
    """Return samples of any format as finite floats, of which 1 is full scale."""
    floats: Samples
    if data.dtype.kind == "f":
        floats = np.clip(data, -LOUDEST, LOUDEST).astype(np.float32, copy=False)
        floats[np.isnan(floats)] = 0.0
    elif data.dtype.kind == "u":
        floats = (data.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    else:
        floats = data.astype(np.float32) / np.float32(1 << (8 * data.dtype.itemsize - 1))
    return floats


def _interleaved(frame: Frame) -> Frame:
    """Return the same samples with the channels side by side in one plane."""
    import av

    packer = av.AudioResampler(format=frame.format.packed.name, layout=frame.layout, rate=frame.sample_rate)
    return packer.resample(frame)[0]
