"""Files that name other files: the decoder gets none of them, by two means of which each would do."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from maie.audio import container
from maie.audio.container import open_container, usable_tracks
from maie.audio.sniff import BURIED, MAGIC
from maie.errors import EmptyAudio, MaieError
from maie.stages.decode import decode
from support.audiocases import make
from support.audiofiles import encode, tone

SCRIPTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile 'file:{}'\n",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_gets_nothing_even_when_it_is_taken_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    encode(tmp_path / "secret.wav", tone(1, 16_000), 16_000, "wav")
    path = tmp_path / "audio"
    path.write_text(SCRIPTS[script].format(tmp_path / "secret.wav"))
    for demuxer in {script, "mov", "mp3", "aac", *(name for name, _ in MAGIC + BURIED)}:
        monkeypatch.setattr(container, "sniff", lambda _, demuxer=demuxer: demuxer)
        with contextlib.suppress(MaieError, av.FFmpegError), open_container(path) as opened:
            assert not [frame for frame in opened.decode(usable_tracks(opened)[0]) if frame.samples], demuxer


def test_quicktime_does_not_get_the_file_that_it_names_as_its_sound(tmp_path: Path) -> None:
    path = referring(tmp_path, make(tmp_path / "secret.mov", {"file": {"container": "mov"}}))
    with av.open(str(path), options={"enable_drefs": "1"}) as willing:
        assert max(np.abs(frame.to_ndarray()).max() for frame in willing.decode(audio=0)) > 1_000
    with pytest.raises(EmptyAudio), decode(path, 100, lambda _: None):
        pass


def referring(folder: Path, other: Path) -> Path:
    """Write QuickTime whose sound is in another file, by an alias record as Macs write it."""
    content, name = other.read_bytes(), str(other).encode()
    name += b"\0" * (len(name) % 2)
    alias = bytes(130) + struct.pack(">HH16xHH", 1, 1, 2, len(name)) + name + b"\xff\xff\0\0"
    reference = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    start = content.index(b"dref") - 4
    end = start + int.from_bytes(content[start : start + 4], "big")
    atom = struct.pack(">I4sII", 16 + len(reference), b"dref", 0, 1) + reference
    whole = bytearray(content[:start] + atom + content[end:])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = content.rindex(kind, 0, start) - 4
        size = int.from_bytes(content[place : place + 4], "big")
        whole[place : place + 4] = (size + len(atom) - (end - start)).to_bytes(4, "big")
    path = folder / "audio"
    path.write_bytes(whole)
    return path
