"""The probe: the verdict on an upload, from a child process that can't harm the one that asks."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from maie.audio import probe as module
from maie.audio.probe import ADDRESS_SPACE_BYTES, CPU_SECONDS, probe
from maie.errors import AudioTooLong, EmptyAudio, NotAudio, TrackNotFound, Unavailable, UndecodableAudio
from maie.settings import Settings
from support.audiocases import make
from support.audiofiles import CODECS, MODEL, encode, tone, write_wav

PER_LINUX32 = 8
"""``man 2 personality``."""


@pytest.fixture
def settings() -> Settings:
    return Settings(profile="embedded", asr_model=MODEL, max_audio_seconds=60)


@pytest.mark.parametrize("kind", CODECS)
def test_declared_seconds(tmp_path: Path, settings: Settings, kind: str) -> None:
    declared = probe(encode(tmp_path / "audio", tone(3, 16_000), 16_000, kind), settings)
    assert declared == pytest.approx(3.0, abs=0.3)


def test_verdicts(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "audio"
    for content, error in {
        b"": EmptyAudio,
        b"text renamed": NotAudio,
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n": NotAudio,
        b"fLaC" + bytes(5_000): UndecodableAudio,
        write_wav(tmp_path / "none", tone(0, 16_000)).read_bytes(): EmptyAudio,
    }.items():
        path.write_bytes(content)
        with pytest.raises(error) as raised:
            probe(path, settings)
        assert type(raised.value) is error


def test_any_track_may_have_the_sound_and_one_that_is_asked_for_must_be_there(
    tmp_path: Path, settings: Settings
) -> None:
    tracks = [{"codec": "aac", "at": []}, {"codec": "aac"}]
    path = make(tmp_path / "audio", {"file": {"container": "matroska", "tracks": tracks}})
    assert probe(path, settings) is not None
    assert probe(path, settings, 2) is not None
    with pytest.raises(EmptyAudio):
        probe(path, settings, 1)
    with pytest.raises(TrackNotFound, match="no track 3: the file has 2 audio tracks"):
        probe(path, settings, 3)


def test_cut_mp3_is_taken_while_it_holds_audio(tmp_path: Path, settings: Settings) -> None:
    path = encode(tmp_path / "audio", tone(10, 16_000), 16_000, "mp3")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    assert probe(path, settings) is not None
    path.write_bytes(content[:90])
    with pytest.raises((UndecodableAudio, EmptyAudio)):
        probe(path, settings)


def test_declared_length_above_the_limit_is_refused(tmp_path: Path, settings: Settings) -> None:
    path = encode(tmp_path / "audio", tone(61, 8_000), 8_000, "flac")
    with pytest.raises(AudioTooLong):
        probe(path, settings)


def test_a_decoder_that_hangs_is_ended(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audio"
    os.mkfifo(path)
    monkeypatch.setattr(module, "WALL_CLOCK_SECONDS", 0.7)
    begun = time.monotonic()
    with pytest.raises(UndecodableAudio):
        probe(path, settings)
    assert time.monotonic() - begun < 5


def test_the_child_has_limits(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audio"
    os.mkfifo(path)
    monkeypatch.setattr(module, "WALL_CLOCK_SECONDS", 3.0)

    def ask() -> None:
        with pytest.raises(EmptyAudio):
            probe(path, settings)

    asking = threading.Thread(target=ask)
    asking.start()
    limits = ""
    while asking.is_alive() and str(ADDRESS_SPACE_BYTES) not in limits:
        time.sleep(0.02)
        limits = _limits_of_the_process_with(str(path))
    while asking.is_alive():
        with contextlib.suppress(OSError):  # until the child has opened it, whom this lets find the file's end
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        time.sleep(0.02)
    rows = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert rows["Max address space"] == str(ADDRESS_SPACE_BYTES)
    assert rows["Max cpu time"] == str(CPU_SECONDS)


def test_the_child_looks_at_a_file_with_nothing_else_within_reach(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audio"
    os.mkfifo(path)
    monkeypatch.setenv("MAIE_TEST_SECRET", "a secret")

    def ask() -> None:
        with pytest.raises(EmptyAudio):
            probe(path, settings)

    asking = threading.Thread(target=ask)
    asking.start()
    writing = path.open("wb")  # waits until the child has opened it; then the child waits for the first byte
    child = _process_with(str(path))
    assert child is not None
    end = time.monotonic() + 5
    while "\nSeccomp:\t2\n" not in (child / "status").read_text() and time.monotonic() < end:
        time.sleep(0.02)
    status, secrets = (child / "status").read_text(), (child / "environ").read_bytes()
    descriptors = sorted(link.readlink().name.split(":")[0] for link in (child / "fd").iterdir())
    writing.close()
    asking.join()
    assert "\nSeccomp:\t2\n" in status
    assert "\nNoNewPrivs:\t1\n" in status
    assert b"MAIE_TEST_SECRET" not in secrets
    assert descriptors == ["audio", "null", "null", "pipe"]


def test_a_child_that_can_not_confine_itself_looks_at_nothing(tmp_path: Path, settings: Settings) -> None:
    path = write_wav(tmp_path / "audio", tone(3, 16_000))
    libc = ctypes.CDLL(None)
    libc.personality(PER_LINUX32)  # children are told that this machine is one for which no filter is known
    try:
        with pytest.raises(Unavailable, match="can't be examined safely"):
            probe(path, settings)
        assert probe(path, settings.model_copy(update={"probe_confined": False})) == 3.0
    finally:
        libc.personality(0)


def _limits_of_the_process_with(argument: str) -> str:
    child = _process_with(argument)
    with contextlib.suppress(OSError):
        return (child / "limits").read_text() if child else ""
    return ""


def _process_with(argument: str) -> Path | None:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if argument in (folder / "cmdline").read_bytes().decode(errors="replace").split("\0"):
                return folder
    return None


@pytest.mark.parametrize("said", ["'x' * 10_000_000", "'no verdict'", "'[]'", '\'{"code": "other", "detail": ""}\''])
def test_what_is_no_verdict_refuses_the_file(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", f"print({said})"))
    with pytest.raises(UndecodableAudio):
        probe(tmp_path / "audio", settings)
