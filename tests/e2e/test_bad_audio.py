"""Files that are no audio, or not what they say, over HTTP: each gets its one answer and leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.audiofiles import encode, reference_text, sample, tone
from support.processes import wait_for
from support.stack import MIB, Speech, Stack, assert_problem

pytestmark = pytest.mark.usefixtures("leaves_the_service_sound")


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("empty.wav", b"", 422, "empty_audio"),
        ("text.wav", b"This is a letter, not a recording.\n" * 50, 415, "not_audio"),
        ("zip.mp3", b"PK\x03\x04" + bytes(5000), 415, "not_audio"),
        ("page.ogg", b"<!doctype html><title>x</title>" * 50, 415, "not_audio"),
        ("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(5000), 415, "not_audio"),
        ("head.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", 422, "undecodable"),
        ("zeros.flac", b"fLaC" + bytes(5000), 422, "undecodable"),
        ("zeros.ogg", b"OggS" + bytes(5000), 422, "undecodable"),
        ("tag.mp3", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), 422, "undecodable"),
    ],
)
def test_what_is_no_audio_is_refused(service: Stack, name: str, content: bytes, status: int, code: str) -> None:
    assert_problem(service.post(content, name), status, code)


def test_audio_of_zero_seconds_is_empty(service: Stack, speech: Speech) -> None:
    assert_problem(service.post(speech(0)), 422, "empty_audio")


def test_a_truncated_mp3_is_transcribed_as_far_as_it_goes(service: Stack, tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp3", sample(), 16_000, "mp3").read_bytes()
    answer = service.post(whole[: len(whole) // 3], "a.mp3")
    assert answer.status_code == 202, answer.text
    state = service.wait_final(answer.json()["task_id"])
    assert state["status"] == "COMPLETE"
    assert state["results"]["raw_transcript"].startswith(reference_text()[:50])
    (warning,) = state["warnings"]
    assert "ends early" in warning


def test_a_truncated_mp3_that_holds_no_sound_is_refused(service: Stack, tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp3", sample(), 16_000, "mp3").read_bytes()
    assert_problem(service.post(whole[:200], "a.mp3"), 422, "undecodable")


def silence_bomb(folder: Path, seconds: int) -> bytes:
    """FLAC compresses silence a thousandfold."""
    return encode(folder / "bomb.flac", tone(seconds, 8000, hertz=0.0), 8000, "flac").read_bytes()


def test_a_small_file_of_hours_of_silence_is_refused_for_its_length(service: Stack, tmp_path: Path) -> None:
    bomb = silence_bomb(tmp_path, 4 * 3600)
    assert len(bomb) < 4 * MIB
    assert_problem(service.post(bomb, "bomb.flac"), 422, "audio_too_long")


def test_a_bomb_that_hides_its_length_fails_while_it_is_decoded_and_is_not_tried_again(
    small: Stack, tmp_path: Path
) -> None:
    bomb = bytearray(silence_bomb(tmp_path, 1200))
    assert bomb[:4] == b"fLaC"
    bomb[21] &= 0xF0
    bomb[22:26] = bytes(4)  # number of samples: unknown
    answer = small.post(bytes(bomb), "bomb.flac")
    assert answer.status_code == 202, answer.text
    state = small.wait_final(answer.json()["task_id"])
    assert (state["status"], state["error"]["code"], state["attempt"]) == ("FAILED", "audio_too_long", 1)
    wait_for(lambda: not small.uploads(), 60, "the upload to be deleted")


@pytest.mark.parametrize("kind", ["file", "address"])
@pytest.mark.parametrize("name", ["a.m3u8", "a.mp3", "a.wav"])
def test_a_playlist_fetches_nothing(service: Stack, tmp_path: Path, kind: str, name: str) -> None:
    secret = tmp_path / "secret.wav"
    encode(secret, tone(3, 16_000), 16_000, "wav")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        target = str(secret) if kind == "file" else f"http://127.0.0.1:{port}/a.ts"
        lists = {
            "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
            "concat": f"ffconcat version 1.0\nfile '{target}'\n",
            "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
        }
        for text in lists.values():
            answer = service.post(text.encode(), name)
            assert_problem(answer, 415, "not_audio")
        with pytest.raises(TimeoutError):
            listener.accept()
