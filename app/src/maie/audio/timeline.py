"""Timeline: where in the recording each decoded frame belongs, by the times that its container gives.

Times count from the start of the container, as a player shows them. A gap between two frames becomes silence, so that
all after it is at its own time. Impossible times shift nothing, and no frame is ever left out because of its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maie.audio.container import packets

if TYPE_CHECKING:
    import av.audio.frame
    import av.container
    import av.stream

TOLERANCE = 0.1
"""Seconds by which times may be off: containers round them, and recorders write them when packets arrive."""

RESET = 1.0
"""A jump back in time by more seconds is a new start, such as a second recording in the same file."""

MAX_GAP = 3600.0
"""A longer gap, in seconds, means that a clock was set."""

MAX_LAST_GAP = 60.0
"""The time of a last frame is wrong if it is more seconds than this after all others."""


class Timeline:
    """Follows one track of a container.

    Args:
        container: The open file.
        stream: The track.
        max_seconds: No gap is made to reach beyond this.

    Attributes:
        end: Where the next frame belongs if it follows the last one, in seconds.
        others_end: How far the other tracks, such as the picture, reach, in seconds.
        left_out: Seconds of gaps that were too long to be made.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.stream.Stream, max_seconds: float) -> None:
        self.end = 0.0
        self.others_end = 0.0
        self.left_out = 0.0
        self._container = container
        self._stream = stream
        self._max_seconds = max_seconds
        self._origin = None if container.start_time is None else container.start_time / 1_000_000
        self._has_begun = False
        self._told_end = 0.0

    def packets(self) -> Iterator[Any]:
        """Yield the track's packets.

        Earlier packets of other tracks show when the container starts: FFmpeg does not count tracks that it may not
        decode.
        """
        for packet in packets(self._container):
            if packet.stream.index == self._stream.index:
                yield packet
            elif packet.pts is not None and packet.stream.type in ("video", "audio"):
                if packet.stream.disposition & packet.stream.disposition.attached_pic:
                    continue
                time = float(packet.pts * packet.time_base)
                if not self._has_begun:
                    self._origin = time if self._origin is None else min(self._origin, time)
                self.others_end = max(self.others_end, time - (self._origin or 0.0))

    def place(
        self, frames: Iterator[av.audio.frame.AudioFrame]
    ) -> Iterator[tuple[float | None, av.audio.frame.AudioFrame]]:
        """Yield each frame with the time at which it begins, or with None where it follows the one before."""
        frame = next(frames, None)
        self._has_begun = True
        while frame is not None:
            following = next(frames, None)
            seconds = frame.samples / frame.sample_rate
            yield self._start(frame.time, seconds, following.time if following is not None else None), frame
            self.end += seconds
            frame = following

    def _start(self, time: float | None, seconds: float, following: float | None) -> float | None:
        """Return when a frame begins, where that is not the end of the one before.

        Args:
            time: When it begins by its own account; its container may start at any time.
            seconds: Its length.
            following: When the frame behind it begins by its own account.
        """
        if self._origin is None:
            self._origin = time
        expected, self._told_end = self._told_end, self._told_end + seconds
        if time is None or self._origin is None:
            return None
        told = time - self._origin
        after = None if following is None else following - self._origin
        if after is not None and abs(after - (expected + seconds)) < abs(after - (told + seconds)):
            return None  # the time is a stray one: the next frame comes back to where the one before was
        self._told_end = told + seconds
        gap = told - self.end
        is_last = following is None and self.end > 0.0
        if expected - told > RESET or gap > min(MAX_LAST_GAP if is_last else MAX_GAP, self._max_seconds - self.end):
            self.left_out += max(0.0, gap)
            self._origin += gap
            self._told_end -= gap
            return None
        if gap <= TOLERANCE:
            return None
        self.end = told
        return told
