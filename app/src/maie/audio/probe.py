"""Probe: whether an upload is audio at all, found out before a task is accepted, in a process of its own.

The process that serves the API never parses untrusted audio: a child with limits on memory, processor time and wall
clock opens the file, confines itself and only then looks into it, as far as the first second of sound. It inherits no
environment and no descriptors, so it has no secret in memory, and :func:`maie.audio.confine.confine` takes away all
access to files, network and other processes. It imports no more than PyAV, so it answers quickly.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from maie.audio.confine import confine
from maie.audio.container import MAX_RATE, MIN_RATE, declared_seconds, open_file, packets, usable_tracks
from maie.errors import (
    AudioTooLong,
    EmptyAudio,
    MaieError,
    NotAudio,
    TrackNotFound,
    Unavailable,
    UndecodableAudio,
)

if TYPE_CHECKING:
    from maie.settings import Settings

COMMAND = (sys.executable, "-I", "-B", "-m", "maie.audio.probe")
WALL_CLOCK_SECONDS = 10.0
CPU_SECONDS = 5
ADDRESS_SPACE_BYTES = 512 * 1024**2
NICENESS = 10
"""The API, whose child this is, answers other requests meanwhile."""

OOM_SCORE_ADJUST = 1000
"""Where memory is short, the kernel shall kill this process rather than the API."""

MAX_ANSWER_BYTES = 4096
MAX_PACKETS = 200
"""Packets looked at for the first sound; damage beyond that is found by the decode stage."""

UNCONFINED = "unconfined"

VERDICTS: dict[str, type[MaieError]] = {
    e.code: e for e in (NotAudio, UndecodableAudio, EmptyAudio, TrackNotFound, Unavailable)
}


def probe(path: Path, settings: Settings, track: int | None = None) -> float | None:
    """Return the seconds of audio that the file's header claims, or None where it claims none.

    Args:
        path: The file.
        settings: How long audio may be, and whether the child is confined.
        track: Number of the audio track that is asked for, from 1; None for any.

    Raises:
        NotAudio: The bytes are of no supported format.
        UndecodableAudio: The first of it can't be decoded, or the decoder broke one of its limits.
        EmptyAudio: No bytes, or no sound.
        TrackNotFound: The file has no such track.
        AudioTooLong: The header claims more than ``max_audio_seconds``.
        Unavailable: The child can't be confined on this machine, so it looks at nothing.
    """
    command = [*COMMAND, str(path.resolve())]
    command += [] if settings.probe_confined else [UNCONFINED]
    command += [] if track is None else [str(track)]
    verdict = _verdict(_answer(command))
    if isinstance(verdict, MaieError):
        raise verdict
    declared = verdict
    if declared is not None and declared > settings.max_audio_seconds:
        raise AudioTooLong(f"The audio is longer than {settings.max_audio_seconds:.0f} seconds.")
    return declared


def _answer(command: list[str]) -> bytes:
    """Return the child's verdict; somebody who has taken the child over can say no more than that."""
    with subprocess.Popen(  # noqa: S603 - the path is ours, and no shell sees it
        command,
        cwd="/",
        env={"HOME": "/"},  # without HOME, Python looks up its user, perhaps over the network
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        alarm = threading.Timer(WALL_CLOCK_SECONDS, child.kill)
        alarm.start()
        try:
            said: bytes = child.stdout.read(MAX_ANSWER_BYTES + 1) if child.stdout else b""
            if len(said) > MAX_ANSWER_BYTES:
                child.kill()
            child.wait()
        finally:
            alarm.cancel()
    if child.returncode != 0:
        raise UndecodableAudio
    return said


def _verdict(answer: bytes) -> float | MaieError | None:
    """Return the seconds that the child tells, or why the file is refused."""
    try:
        told = json.loads(answer)
        if "code" in told:
            return VERDICTS[told["code"]](str(told["detail"]))
        return None if told["seconds"] is None else float(told["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise UndecodableAudio from error


def _decode_first_second(file: BinaryIO, track: int | None) -> float | None:
    """Decode a second of sound, of any track, and return the declared length; raises as :func:`probe` does."""
    import av

    seconds, damaged = 0.0, False
    with open_file(file) as container:
        tracks = usable_tracks(container, track)
        first = islice(packets(container, *tracks), MAX_PACKETS)
        while seconds < 1.0:
            try:
                frames = next(first).decode()
            except StopIteration:
                break
            except av.FFmpegError:
                damaged = True
                continue
            for frame in frames:
                if not MIN_RATE <= frame.sample_rate <= MAX_RATE:
                    raise UndecodableAudio(f"A sample rate of {frame.sample_rate} Hz is not supported.")
                seconds += frame.samples / frame.sample_rate
        if seconds == 0.0:
            raise UndecodableAudio if damaged else EmptyAudio("The file holds no sound.")
        return declared_seconds(container, tracks[0])


def _child() -> None:
    """Probe the file named on the command line and write the verdict as JSON to standard output."""
    os.nice(NICENESS)
    Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJUST), encoding="ascii")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Modules that the library would otherwise import only when a file needs them.
    for late in ("av.subtitles.codeccontext", "av.subtitles.stream"):
        import_module(late)
    with Path(sys.argv[1]).open("rb") as file:
        try:
            if UNCONFINED not in sys.argv[2:]:
                confine()
            track = next((int(argument) for argument in sys.argv[2:] if argument != UNCONFINED), None)
            answer: dict[str, Any] = {"seconds": _decode_first_second(file, track)}
        except MaieError as error:
            answer = {"code": error.code, "detail": error.detail}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _child()
