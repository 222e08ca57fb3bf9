"""Decode: an untrusted audio file becomes 16 kHz mono samples, with flat memory however long the audio is.

Nothing of the recording is lost on the way, and no time shifted: :mod:`maie.audio.tracks` chooses the track,
:mod:`maie.audio.frames` decodes it, :mod:`maie.audio.timeline` puts each frame at its time,
:mod:`maie.audio.mixing` makes one channel of many, :mod:`maie.audio.levels` raises what is quiet, and
:mod:`maie.audio.lengths` tells where there is more or less than the header says.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import soxr

from maie.audio import lengths, tracks
from maie.audio.container import declared_seconds, open_container
from maie.audio.decoded import SAMPLE_BYTES, Audio
from maie.audio.frames import Mono, Trouble, decoded, mixed
from maie.audio.levels import Centre, Levels, Samples
from maie.audio.timeline import Timeline
from maie.domain import SAMPLE_RATE
from maie.errors import AudioTooLong, EmptyAudio, UndecodableAudio
from maie.exhaustion import telling_a_full_disk
from maie.stages.work import Report, Work

EXACT = ("flac", "matroska,webm")
"""Demuxers whose header is about the whole file; files of others may have been concatenated."""

TOLERATED_SHORTFALL = 0.5
"""Seconds (or 2% of the audio) that a file may end before its header says so; encoders' padding stays below that."""


def run(work: Work, report: Report) -> Work:
    """Decode the task's audio; the pipeline closes it."""
    audio = decode(work.job.source, work.settings.max_audio_seconds, report, work.job.options.track)
    metrics = {"input_duration_seconds": round(audio.seconds, 6)}
    return replace(work, decoded=audio).adding(metrics, audio.warnings)


def decode(path: Path, max_seconds: float, on_progress: Callable[[float], None], track: int | None = None) -> Audio:
    """Decode a file to 16 kHz mono; the caller closes the result.

    The samples go to an unnamed file in the folder of ``path``, or in the temporary folder where that one is read-only.
    Seconds are counted while they are decoded, so a header that lies about the length gains nothing.

    Args:
        path: The file, of any supported format.
        max_seconds: Longest audio that is taken, gaps included.
        on_progress: Told the fraction done, as far as the header's length lets it be known.
        track: Number of the audio track, from 1; the one that :func:`maie.audio.tracks.choose` chooses if None.

    Raises:
        NotAudio: The file is of no supported format.
        EmptyAudio: No bytes, or zero seconds of audio.
        UndecodableAudio: Nothing of the file can be decoded.
        TrackNotFound: The file has no such track.
        AudioTooLong: There is more than ``max_seconds``.
        DiskFull: There is no room for the samples.
    """
    trouble, levels = Trouble(), Levels()
    sound = lengths.sound_of(path)
    folder = path.parent if os.access(path.parent, os.W_OK) else None
    with ExitStack() as on_failure:
        with telling_a_full_disk():
            file = on_failure.enter_context(tempfile.TemporaryFile(dir=folder, prefix="decode-"))
        with ExitStack() as opened:
            source = None
            if sound is not None and sound.is_longer:
                source = opened.enter_context(closing(lengths.Corrected(path, sound.patch)))
            container = opened.enter_context(open_container(path, source))
            choice = tracks.choose(container, path, track)
            declared = declared_seconds(container, choice.stream)
            is_exact = sound is not None or container.format.name in EXACT
            timeline = Timeline(container, choice.stream, max_seconds)
            placed = timeline.place(decoded(timeline.packets(), trouble))
            samples = _write(_resampled(mixed(placed)), file, max_seconds, declared, levels, on_progress)
        if samples == 0 and (trouble.bad_packets or trouble.broke_off):
            raise UndecodableAudio
        if samples == 0:
            raise EmptyAudio("The file holds no sound.")
        on_failure.pop_all()
    seconds = samples / SAMPLE_RATE
    if sound is not None:
        declared = seconds * sound.declared / max(1, sound.present)
    reached = max(seconds, timeline.others_end) + timeline.left_out
    missing = _missing(path, declared, is_exact, seconds, reached, trouble)
    return Audio(file, samples, levels, (*choice.warnings, *missing, *_jumps(timeline)))


def _missing(
    path: Path, declared: float | None, is_exact: bool, seconds: float, reached: float, trouble: Trouble
) -> tuple[str, ...]:
    """Return a sentence on what is missing of the file, or on what its header does not tell.

    Args:
        path: The file.
        declared: Seconds that its header tells of.
        is_exact: Whether the header means all that is in the file.
        seconds: What was decoded.
        reached: How far any track goes, in seconds.
        trouble: What went wrong.
    """
    tolerated = max(TOLERATED_SHORTFALL, 0.02 * seconds)
    if declared is not None and is_exact and seconds - declared > tolerated:
        return (f"The file's header tells of {declared:.1f} seconds only; all {seconds:.1f} seconds were decoded.",)
    if declared is not None and declared - reached > tolerated:
        return (
            f"The file ends early or is damaged: of the {declared:.1f} seconds that its header tells of, "
            f"only {seconds:.1f} seconds could be decoded.",
        )
    if trouble.broke_off or (trouble.ends_in_packet and not lengths.is_chunked(path)) or lengths.breaks_off(path):
        return (f"The file ends early or is damaged: only its first {seconds:.1f} seconds could be decoded.",)
    if trouble.bad_packets:
        return ("Parts of the file are damaged and were left out.",)
    return ()


def _jumps(timeline: Timeline) -> tuple[str, ...]:
    if timeline.left_out == 0.0:
        return ()
    return (f"The times in the file jump by {timeline.left_out:.0f} seconds, which were left out.",)


def _write(
    blocks: Iterator[tuple[float | None, Samples]],
    file: IO[bytes],
    max_seconds: float,
    declared: float | None,
    levels: Levels,
    on_progress: Callable[[float], None],
) -> int:
    """Write 16 kHz samples as floats, each block at its time, and return where they end; gaps take no space."""
    end, centre = 0, Centre()
    for start, block in blocks:
        if start is not None and round(start * SAMPLE_RATE) > end:
            end = round(start * SAMPLE_RATE)
            os.lseek(file.fileno(), SAMPLE_BYTES * end, os.SEEK_SET)
        end += len(block)
        if end > max_seconds * SAMPLE_RATE:
            raise AudioTooLong(f"The audio is longer than {max_seconds:.0f} seconds.")
        centred = centre.centred(block)
        levels.add(centred)
        _write_all(file, centred.astype(np.float32, copy=False).tobytes())
        if declared:
            on_progress(min(1.0, end / SAMPLE_RATE / declared))
    return end


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write around the file's buffer, whose rest would be written when the file is closed, even on a full disk."""
    left = memoryview(data)
    with telling_a_full_disk():
        while left:
            left = left[os.write(file.fileno(), left) :]


def _resampled(blocks: Iterator[Mono]) -> Iterator[tuple[float | None, Samples]]:
    """Bring all blocks to 16 kHz, each with its start; where a gap is, or the rate changes, a new resampler begins."""
    rate, stream = SAMPLE_RATE, None
    for block in blocks:
        start = block.start
        if block.rate != rate or start is not None:
            if stream is not None:
                yield None, stream.resample_chunk(np.empty(0, np.float32), last=True)
            rate = block.rate
            stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        yield start, block.samples if stream is None else stream.resample_chunk(block.samples)
    if stream is not None:
        yield None, stream.resample_chunk(np.empty(0, np.float32), last=True)
