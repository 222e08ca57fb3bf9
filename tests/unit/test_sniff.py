"""What a file is, by its content: each format of the documentation, and nothing that only resembles one."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import random
import re
import struct
import subprocess
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from maie.audio import probe as module
from maie.audio.container import CODECS, open_container, usable_tracks
from maie.audio.probe import probe
from maie.audio.sniff import BURIED, MAGIC, WINDOW, sniff
from maie.errors import MaieError, NotAudio, UndecodableAudio
from maie.settings import Settings
from support.audiocases import CASES, cases, make
from support.audiofiles import MODEL, ROOT, encode, read, tone

FORMATS = dict(cases(CASES / "formats.yml"))
TOLD_OTHERWISE = {"mov", "mp3", "aac", "loas", "ac3", "eac3", "dts"}
"""Demuxers of which no bytes in a table tell."""

FULL = "MAIE_TEST_FULL" in os.environ
BLOBS = 20_000 if FULL else 2_000
ROUNDS = 30 if FULL else 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each case."""
    folder = tmp_path_factory.mktemp("formats")
    return {name: make(folder / str(number), case) for number, (name, case) in enumerate(FORMATS.items())}


@pytest.fixture
def settings() -> Settings:
    return Settings(profile="embedded", asr_model=MODEL, max_audio_seconds=60)


def why_not(content: bytes) -> str:
    with pytest.raises(NotAudio) as raised:
        sniff(io.BytesIO(content))
    return raised.value.detail


def test_the_documentation_lists_what_the_cases_hold() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text.split("| format | files |")[1].split("\n\n")[0]
    listed = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]
    assert set(listed) == {case["format"] for case in FORMATS.values()}


def test_each_demuxer_that_may_be_used_has_a_case(made: dict[str, Path]) -> None:
    used = set()
    for path in made.values():
        with path.open("rb") as file:
            used.add(sniff(file))
    assert used == {demuxer for demuxer, _ in MAGIC + BURIED} | TOLD_OTHERWISE


def test_the_library_has_every_codec_that_may_be_used() -> None:
    assert set(CODECS) <= av.codecs_available


@pytest.mark.parametrize(
    ("tag", "block", "samples", "extra"), [(0x83, 10, 80, b""), (0x22, 32, 240, bytes(32))], ids=["G.729", "TrueSpeech"]
)
def test_codecs_of_telephone_systems_that_nobody_here_can_encode(
    tmp_path: Path, tag: int, block: int, samples: int, extra: bytes
) -> None:
    noise = random.Random(1).randbytes(3 * 8_000 // samples * block)
    form = struct.pack("<HHIIHHH", tag, 1, 8_000, 8_000 * block // samples, block, 0, len(extra)) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(noise)) + noise
    path = tmp_path / "audio"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with read(path) as audio:
        assert audio.seconds == pytest.approx(3.0, abs=0.1)


def test_dss_in_standard_play(tmp_path: Path) -> None:
    long_play = (make(tmp_path / "dss", {"file": {"writer": "dss"}})).read_bytes()
    noise = b"".join(random.Random(n).randbytes(512) for n in range(60))
    path = tmp_path / "audio"
    path.write_bytes(long_play[:0x2A4] + b"\0" + long_play[0x2A5:1536] + noise)
    with read(path) as audio:
        assert audio.seconds == pytest.approx(60 * 506 / 42 * 264 / 11_025, rel=0.1)


REFUSALS = {
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(100),
    "PNG": b"\x89PNG\r\n\x1a\n",
    "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08mdat",
    "PDF": b"%PDF-1.7\n",
    "ZIP archive or an Office document: unpack it": b"PK\x03\x04\x14\0",
    "RAR": b"Rar!\x1a\x07\1\0",
    "program": b"\x7fELF\2\1\1",
    "MIDI": b"MThd\0\0\0\6",
    "HLS or M3U playlist: upload the recording itself": b"#EXTM3U\n#EXTINF:10,\nhttp://192.0.2.1/x.ts\n",
    "playlist": b"ffconcat version 1.0\nfile secret.wav\n",
    "SDP": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "web page": b"\n <!DOCTYPE html><title>404</title>",
    "XML": b"\xef\xbb\xbf<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
    "JSON": b'{"detail": "not found"}',
    "subtitles": b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n",
    "This is text": b"Dear Anna, I'm free at ten.\n",
    "zeros only": bytes(5000),
    "DS2": b"\x03ds2" + bytes(100),
    "RealMedia": b".RMF\0\0\0\x12",
    "Audible": b"\0\0\0\x20ftypaax \0\0\0\1",
    "piece of a stream": b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix",
    "without sound": b"\0\0\0\1\x67\x42\0\x1e",
    "not an audio file of a supported format": bytes(range(1, 200)),
}


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_names_what_the_file_is(said: str) -> None:
    assert said in why_not(REFUSALS[said])


def test_an_unfinished_recording_is_told(tmp_path: Path, settings: Settings) -> None:
    whole = encode(tmp_path / "a", tone(3, 48_000), 48_000, "m4a").read_bytes()
    quicktime = whole.replace(b"ftyp", b"wide", 1)
    for content in (whole, quicktime):
        for cut in (len(content) // 2, content.index(b"moov") - 4):
            path = tmp_path / "cut"
            path.write_bytes(content[:cut])
            with pytest.raises(UndecodableAudio, match="not finished"):
                probe(path, settings)


@pytest.mark.parametrize("muxer", ["mp4", "matroska", "avi", "mpegts"])
def test_a_video_without_sound_is_told(tmp_path: Path, settings: Settings, muxer: str) -> None:
    path = make(tmp_path / "video", {"file": {"container": muxer, "video": 2, "tracks": []}})
    with pytest.raises(UndecodableAudio, match="a video and no audio"):
        probe(path, settings)


@pytest.mark.parametrize(
    ("codec", "tag", "new", "said"),
    [
        ("aac", b"mp4a", b"enca", "DRM-protected"),
        ("aac", b"mp4a", b"drms", "DRM-protected"),
        ("pcm_s16le", b"sowt", b"QDM2", "codec qdm2.*ffmpeg -i"),
    ],
)
def test_audio_that_is_not_decoded_is_named(
    tmp_path: Path, settings: Settings, codec: str, tag: bytes, new: bytes, said: str
) -> None:
    path = make(tmp_path / "a", {"file": {"container": "mov", "tracks": [{"codec": codec}]}})
    content = path.read_bytes()
    assert tag in content
    path.write_bytes(content.replace(tag, new))
    with pytest.raises(UndecodableAudio, match=said):
        probe(path, settings)


def test_windows_media_with_drm_is_told() -> None:
    header = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)
    with pytest.raises(UndecodableAudio, match="DRM"):
        sniff(io.BytesIO(header + bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")))


def test_an_archive_or_document_that_holds_a_recording_is_not_one(tmp_path: Path) -> None:
    song = encode(tmp_path / "a.mp3", tone(3, 16_000), 16_000, "mp3")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.write(song)
    with tarfile.open(tmp_path / "tar", "w") as tar:
        tar.add(song, "a.mp3")
    (tmp_path / "pdf").write_bytes(b"%PDF-1.7\nstream\n" + song.read_bytes())
    (tmp_path / "m3u").write_bytes(b"#EXTM3U\n" + song.read_bytes())
    for name in ("zip", "tar", "pdf", "m3u"):
        assert "This is a" in why_not((tmp_path / name).read_bytes())


def blob(generator: random.Random) -> bytes:
    """Bytes that are no recording: noise, text, and noise with what looks like the beginning of a frame all over it."""
    size = generator.choice((3, 40, 400, 4_000, 20_000))
    noise = generator.randbytes(size)
    words = [generator.choice(("G", "free", "ftyp", "moov", "RIFF", "the", "wide", "\xff", "ID3")) for _ in range(99)]
    marks = (b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80", b"\x0b\x77", b"G@\0\x10", b"OggS", b"\x56\xe0\x50", b"ID3\3\0\0")
    return generator.choice(
        (
            noise,
            base64.b64encode(noise),
            " ".join(words).encode(generator.choice(("latin-1", "utf-16", "utf-8"))),
            b"".join(generator.choice(marks) + generator.randbytes(generator.choice((0, 50, 413))) for _ in range(40)),
            bytes(generator.randrange(500)) + noise,
        )
    )


def test_noise_and_text_are_never_audio(tmp_path: Path) -> None:
    generator, path = random.Random(12), tmp_path / "blob"
    for _ in range(BLOBS):
        content = blob(generator)
        try:
            sniff(io.BytesIO(content))
        except MaieError:
            continue
        path.write_bytes(content)  # it resembles something, so the decoder has the last word
        try:
            with open_container(path) as opened:
                assert not any(frame.samples for frame in opened.decode(usable_tracks(opened)[0])), content[:40]
        except (MaieError, av.FFmpegError):
            continue


@pytest.mark.parametrize(
    "unit",
    [
        b"\xff\xfb\x90\x64",
        b"\xff\xf1\x50\x80\0\x1f\xfc",
        b"G",
        b"\x0b\x77",
        b"RIFF",
        b"\x56\xe0\1",
        b"\0\0\1\xba",
        b"O",
    ],
)
def test_hostile_repetitions_take_no_time(unit: bytes) -> None:
    begun = time.process_time()
    with contextlib.suppress(MaieError):
        sniff(io.BytesIO(unit * (4 * WINDOW)))
    assert time.process_time() - begun < 1


def test_damaged_files_of_every_format_end_in_a_verdict(
    made: dict[str, Path], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[int] = []

    class Child(subprocess.Popen[bytes]):
        def __exit__(self, *error: Any) -> None:
            super().__exit__(*error)
            ends.append(self.returncode)

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": Child}))
    generator = random.Random(4)
    paths = [damaged(original, tmp_path, generator) for original in one_each(made) * ROUNDS]
    assert verdicts(paths, settings) <= {"audio", "not_audio", "undecodable", "empty_audio", "audio_too_long"}
    assert set(ends) == {0}


def damaged(original: Path, folder: Path, generator: random.Random) -> Path:
    """Write a copy with flipped bits, many of them in its header, and perhaps without its end."""
    content = bytearray(original.read_bytes()[:100_000])
    for _ in range(generator.choice((1, 10, 100))):
        place = generator.randrange(min(len(content), generator.choice((200, 100_000))))
        content[place] ^= 1 << generator.randrange(8)
    path = folder / f"{generator.random()}"
    path.write_bytes(content[: generator.randrange(len(content) // 2, len(content))])
    return path


def test_the_confined_probe_takes_every_format(made: dict[str, Path], settings: Settings) -> None:
    assert verdicts(one_each(made), settings) == {"audio"}


def one_each(made: dict[str, Path]) -> list[Path]:
    """One file of each format."""
    return list({FORMATS[name]["format"]: file for name, file in made.items()}.values())


def verdicts(paths: list[Path], settings: Settings) -> set[str]:
    """Return what the probe says of files: codes of errors, or ``audio``."""

    def verdict(path: Path) -> str:
        try:
            probe(path, settings)
        except MaieError as error:
            return error.code
        return "audio"

    with ThreadPoolExecutor(2) as two:
        return set(two.map(verdict, paths))
