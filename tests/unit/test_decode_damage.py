"""The decode stage with files that are damaged, cut off, or say what is not so."""

from __future__ import annotations

import io
import random
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from maie.audio.container import packets
from maie.errors import AudioTooLong, EmptyAudio, MaieError, UndecodableAudio
from support.audiocases import make
from support.audiofiles import CODECS, encode, pitch, read, tone


@pytest.mark.parametrize("magic", [b"fLaC", b"OggS", b"\x1a\x45\xdf\xa3", b"\0\0\0\x20ftypM4A ", b"\xff\xfb\x90\x64"])
def test_garbage_behind_magic_bytes_is_undecodable(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "audio"
    path.write_bytes(magic + random.Random(1).randbytes(20_000))
    with pytest.raises(UndecodableAudio):
        read(path)


@pytest.mark.parametrize("kind", ["mp3", "flac", "webm"])
def test_a_cut_file_gives_what_it_holds_and_says_so(tmp_path: Path, kind: str) -> None:
    path = encode(tmp_path / "audio", tone(10, 16_000), 16_000, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with read(path) as audio:
        assert 3 < audio.seconds < 6
        assert pitch(audio) == pytest.approx(440, abs=2)
        assert "ends early" in audio.warnings[0]


def test_a_hole_in_the_file_is_left_out_and_said(tmp_path: Path) -> None:
    path = encode(tmp_path / "audio", tone(10, 16_000), 16_000, "mp3")
    content = path.read_bytes()
    path.write_bytes(content[:8_000] + bytes(4_000) + content[12_000:])
    with read(path) as audio:
        assert 8 < audio.seconds < 10
        assert audio.warnings


@pytest.mark.parametrize("kind", ["mp3", "m4a"])
def test_a_cut_file_with_nothing_decodable_is_undecodable(tmp_path: Path, kind: str) -> None:
    path = encode(tmp_path / "audio", tone(10, 16_000), 16_000, kind)
    content = path.read_bytes()
    path.write_bytes(content[: 90 if kind == "mp3" else len(content) // 2])
    with pytest.raises((UndecodableAudio, EmptyAudio)):
        read(path)


def test_seconds_are_counted_whatever_the_header_says(tmp_path: Path) -> None:
    path = encode(tmp_path / "audio", np.zeros(100 * 16_000, np.float32), 16_000, "flac")
    content = bytearray(path.read_bytes())
    total = content.index(b"fLaC") + 4 + 4 + 13  # the last 4 bytes of the 36 bits that hold the number of samples
    content[total : total + 5] = bytes([content[total] & 0xF0, *(16_000).to_bytes(4, "big")])
    path.write_bytes(content)
    with pytest.raises(AudioTooLong):
        read(path, max_seconds=10)
    with read(path, max_seconds=101) as audio:
        assert audio.seconds == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("kind", CODECS)
def test_flipped_bits_end_in_audio_or_in_a_named_error(tmp_path: Path, kind: str) -> None:
    original = encode(tmp_path / "audio", tone(2, 16_000), 16_000, kind).read_bytes()
    path = tmp_path / "flipped"
    outcomes = set()
    for seed in range(40):
        generator = random.Random(seed)
        content = bytearray(original)
        for _ in range(generator.choice((1, 10, 100))):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        try:
            with read(path) as audio:
                assert audio.samples > 0
            outcomes.add("audio")
        except MaieError as error:
            outcomes.add(error.code)
    assert "audio" in outcomes
    assert outcomes <= {"audio", "not_audio", "undecodable", "empty_audio", "audio_too_long"}


def test_wav_with_a_length_that_was_never_filled_in(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16_000 * 3))
    content = bytearray(buffer.getvalue())
    content[40:44] = b"\xff\xff\xff\xff"
    path = tmp_path / "audio"
    path.write_bytes(content)
    with read(path) as audio:
        assert audio.seconds == 3.0
        assert audio.warnings == ()


def test_streams_that_appear_on_the_way_cost_nothing(tmp_path: Path) -> None:
    """PyAV asks at the file's end for streams that it has not known at its beginning, now and then."""

    class Container:
        def demux(self) -> Iterator[str]:
            yield from ("first", "flushed")
            raise IndexError

    assert list(packets(Container())) == ["first", "flushed"]
    one = {"container": "mpegts", "tracks": [{"codec": "mp2", "rate": 48000}]}
    two = {**one, "options": {"mpegts_start_pid": "600"}, "tracks": 4 * one["tracks"]}
    first, second = (make(tmp_path / name, {"file": made}) for name, made in (("one", one), ("two", two)))
    path = tmp_path / "both"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    for _ in range(5):
        with read(path) as audio:
            assert audio.seconds == pytest.approx(5, abs=0.1)
