"""Tracks: which of a file's audio tracks is transcribed.

Video recorders write several, often the computer's sound and the microphone, and films have one a language. The track
that the container marks as its default is taken, and where it marks none or all, the loudest. A default that is silent
or only hums is passed over for one that does not. A warning names what was left out, so that a client can ask for it by
its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maie.audio.container import open_container, packets, usable_tracks
from maie.audio.frames import as_floats, raw_channels
from maie.errors import UndecodableAudio

if TYPE_CHECKING:
    import av.audio.stream
    import av.container

    Stream = av.audio.stream.AudioStream

SAMPLES = 24
SAMPLE_SECONDS = 2.0
"""How many parts of a file are measured, and how long each is."""

SILENT_DB, LOUDER_DB = -60.0, 20.0
"""A default track below this level counts as silent where another one is louder by so much, in dB."""

STANDS_OUT = 2.0
"""Ratio of powers, to the quietest tenth of its track, from which on a sound is not a steady one."""

MAX_TOLD = 8
MAX_TITLE = 60


@dataclass(frozen=True)
class Choice:
    """The chosen track, and sentences about those left out."""

    stream: Stream
    warnings: tuple[str, ...]


def choose(container: av.container.InputContainer, path: Path, wanted: int | None) -> Choice:
    """Choose the track to be transcribed.

    Args:
        container: The open file.
        path: The same file, to be opened again where several tracks have to be listened to.
        wanted: The number that the client asks for, from 1, among the audio tracks.

    Raises:
        TrackNotFound, UndecodableAudio: See :func:`maie.audio.container.usable_tracks`.
    """
    tracks, usable = list(container.streams.audio), usable_tracks(container, wanted)
    if wanted is not None:
        return Choice(usable[0], ())
    if len(usable) == 1:
        return Choice(usable[0], _told(tracks, usable, usable[0], ""))
    marked = [track for track in usable if track.disposition & track.disposition.default] or usable
    levels = _levels(path, [track.index for track in usable])
    taken = max(marked, key=lambda track: levels[track.index])
    loudest = max(usable, key=lambda track: levels[track.index])
    why = ""
    if levels[taken.index] < SILENT_DB and levels[loudest.index] > levels[taken.index] + LOUDER_DB:
        taken, why = loudest, ", for the default track has no more than a steady sound"
    return Choice(taken, _told(tracks, usable, taken, why))


def _codec(track: Stream) -> str:
    return track.codec_context.name if track.codec_context is not None else "an unknown codec"


def _levels(path: Path, indices: Sequence[int]) -> dict[int, float]:
    """Return the level in dBFS of what each track has beyond a steady sound, from samples of the whole file."""
    import av

    powers: dict[int, list[float]] = {index: [] for index in indices}
    with open_container(path) as container:
        streams = [stream for stream in container.streams.audio if stream.index in indices]
        seconds = (container.duration or 0) / av.time_base
        parts = SAMPLES if seconds > SAMPLES * SAMPLE_SECONDS else 1
        for part in range(parts):
            try:
                if parts > 1:
                    container.seek(round((part + 0.5) / parts * seconds * av.time_base) + (container.start_time or 0))
                _listen(container, streams, SAMPLE_SECONDS if parts > 1 else SAMPLES * SAMPLE_SECONDS, powers)
            except av.FFmpegError:
                continue
    return {index: _level(np.asarray(found or [0.0])) for index, found in powers.items()}


def _level(powers: NDArray[np.float64]) -> float:
    """Return the level of a track by the powers of its frames: a hum or a tone, however loud, is as good as silence."""
    steady = np.percentile(powers, 10)
    return float(10 * np.log10(np.mean(np.where(powers > STANDS_OUT * steady, powers, 0.0)) + 1e-15))


def _listen(
    container: av.container.InputContainer, streams: Sequence[Stream], seconds: float, powers: dict[int, list[float]]
) -> None:
    """Measure the next seconds of each track."""
    import av

    heard = {stream.index: 0.0 for stream in streams}
    for packet in packets(container, *streams):
        try:
            for frame in packet.decode():
                heard[packet.stream.index] += frame.samples / frame.sample_rate
                powers[packet.stream.index].append(float(np.square(as_floats(raw_channels(frame))).mean(axis=1).max()))
        except (av.FFmpegError, UndecodableAudio):
            continue
        if min(heard.values()) >= seconds or max(heard.values()) >= 2 * seconds:
            return


def _told(tracks: Sequence[Stream], usable: Sequence[Stream], taken: Stream, why: str) -> tuple[str, ...]:
    """Return a sentence on the tracks that were left out.

    A track that can't be decoded is no loss where the container offers an alternative to it.
    """
    marked = [track for track in tracks if track.disposition & track.disposition.default]
    missed = [] if any(track in usable for track in marked) else marked
    left_out = [track for track in tracks if track is not taken and (track in usable or track in missed)]
    if not left_out:
        return ()
    names = [_name(number, track) for number, track in enumerate(tracks, 1) if track in left_out]
    more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    number = 1 + tracks.index(taken)
    return (
        f"The file has {len(tracks)} audio tracks, of which track {number} was taken{why}. "
        f"Left out: {'; '.join(names[:MAX_TOLD])}{more}.",
    )


def _name(number: int, track: Stream) -> str:
    """Return how a track is called: ``track 2 (aac, eng, "Microphone")``."""
    title = "".join(char for char in track.metadata.get("title", "") if char.isprintable())[:MAX_TITLE]
    about = [_codec(track), *([track.language] if track.language else []), *([f'"{title}"'] if title else [])]
    return f"track {number} ({', '.join(about)})"
