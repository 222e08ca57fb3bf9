"""The decode stage: every supported file becomes 16 kHz mono, and no file makes it do anything else."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from maie.audio import container, lengths
from maie.errors import EmptyAudio, NotAudio, UndecodableAudio
from maie.stages.decode import decode
from support.audiofiles import CODECS, encode, pitch, read, tone, write_wav

SCRIPTS = {
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n",
    "ffconcat": b"ffconcat version 1.0\nfile secret.wav\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "playlist": b"[playlist]\nFile1=secret.wav\n",
    "text": b"There is no sound in this.\n" * 50,
    "utf16": "There is no sound in this.\n".encode("utf-16"),
}


def wav_header(samples: bytes, *, tag: int, channels: int, rate: int, bits: int) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("kind", CODECS)
def test_every_format_keeps_length_and_pitch(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    with read(encode(tmp_path / "audio", tone(3, rate), rate, kind, channels)) as audio:
        assert audio.seconds == pytest.approx(3.0, abs=0.25)
        assert pitch(audio) == pytest.approx(440, abs=2)
        assert audio.window(0, audio.samples).std() == pytest.approx(0.3535, abs=0.025)
        assert audio.warnings == ()


def test_window_is_the_part_asked_for_and_never_beyond_the_audio(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    with read(write_wav(tmp_path / "audio", ramp)) as audio:
        assert np.allclose(audio.window(4_000, 4_010), ramp[4_000:4_010], atol=1e-4)
        assert len(audio.window(15_990, 16_100)) == 10
        assert len(audio.window(20_000, 20_010)) == 0


def test_progress_ends_at_one(tmp_path: Path) -> None:
    seen: list[float] = []
    decode(write_wav(tmp_path / "audio", tone(5, 16_000)), 100, seen.append).close()
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == 1.0


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_and_scripts_are_refused(tmp_path: Path, name: str) -> None:
    write_wav(tmp_path / "secret.wav", tone(1, 16_000))
    path = tmp_path / "audio"
    path.write_bytes(SCRIPTS[name])
    with pytest.raises(NotAudio):
        read(path)


@pytest.mark.parametrize("demuxer", ["wav", "mp3", "flac", "ogg", "matroska", "mov", "aac"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_not_followed_even_when_it_is_taken_for_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, demuxer: str
) -> None:
    write_wav(tmp_path / "secret.wav", tone(1, 16_000))
    path = tmp_path / "audio"
    path.write_bytes(SCRIPTS[name])
    for module in (container, lengths):
        monkeypatch.setattr(module, "sniff", lambda _: demuxer)
    with pytest.raises((UndecodableAudio, EmptyAudio)):
        read(path)


def video(path: Path, *, sound: bool) -> Path:
    """Write two seconds of a grey picture, with a tone or without."""
    with av.open(str(path), "w", format="mp4") as file:
        pictures = file.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 64
        tones = file.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for _ in range(20):
            file.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))))
        file.mux(pictures.encode(None))
        if tones is not None:
            for start in range(0, 32_000, 1024):
                frame = av.AudioFrame.from_ndarray(tone(2, 16_000)[None, start : start + 1024], "fltp", "mono")
                frame.sample_rate = 16_000
                frame.pts = start
                file.mux(tones.encode(frame))
            file.mux(tones.encode(None))
    return path


def test_the_sound_of_a_video_is_taken(tmp_path: Path) -> None:
    with read(video(tmp_path / "video", sound=True)) as audio:
        assert audio.seconds == pytest.approx(2, abs=0.2)
        assert pitch(audio) == pytest.approx(440, abs=2)


def test_a_video_without_sound_is_undecodable(tmp_path: Path) -> None:
    with pytest.raises(UndecodableAudio, match="no audio"):
        read(video(tmp_path / "video", sound=False))


def test_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audio"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    with pytest.raises(NotAudio):
        read(path)


def test_empty_file_and_audio_of_no_seconds_are_empty(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "header": write_wav(tmp_path / "w", tone(0, 16_000)).read_bytes()}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(EmptyAudio):
            read(path)


def test_eight_channels_in_planes_of_their_own(tmp_path: Path) -> None:
    with read(encode(tmp_path / "audio", 0.4 * tone(3, 48_000), 48_000, "opus", channels=8)) as audio:
        assert audio.seconds == pytest.approx(3, abs=0.05)
        assert np.abs(audio.window(8_000, 40_000)).max() > 0.05


@pytest.mark.parametrize(
    ("tag", "channels", "rate", "bits"),
    [
        (1, 8, 48_000, 16),
        (1, 1, 384_000, 16),
        (3, 1, 16_000, 32),
        (3, 2, 44_100, 64),
        (1, 1, 16_000, 24),
        (1, 1, 8_000, 8),
    ],
)
def test_unusual_pcm(tmp_path: Path, tag: int, channels: int, rate: int, bits: int) -> None:
    mono = tone(2, rate)
    if bits == 8:
        raw = (mono * 127 + 128).astype(np.uint8)[:, None]
    elif bits == 24:
        raw = (mono * 2**31).astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:]
    elif tag == 3:
        raw = mono.astype(f"<f{bits // 8}")[:, None]
    else:
        raw = (mono * 32767).astype("<i2")[:, None]
    data = np.repeat(raw, channels, axis=0 if bits == 24 else 1).tobytes() if channels > 1 else raw.tobytes()
    path = tmp_path / "audio"
    path.write_bytes(wav_header(data, tag=tag, channels=channels, rate=rate, bits=bits))
    with read(path) as audio:
        assert audio.seconds == pytest.approx(2, abs=0.02)
        assert pitch(audio) == pytest.approx(440, abs=2)


def test_samples_that_are_no_numbers_become_finite(tmp_path: Path) -> None:
    samples = np.tile(np.array([np.nan, np.inf, -np.inf, 1e30, 0.25], dtype="<f4"), 8_000)
    path = tmp_path / "audio"
    path.write_bytes(wav_header(samples.tobytes(), tag=3, channels=1, rate=16_000, bits=32))
    with read(path) as audio:
        window = audio.window(0, audio.samples)
    assert np.isfinite(window).all()
    assert np.abs(window).max() <= 1.0


@pytest.mark.parametrize("rate", [1, 999, 800_000, 2**31 - 1])
def test_absurd_sample_rates_are_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "audio"
    path.write_bytes(wav_header(bytes(64_000), tag=1, channels=1, rate=rate, bits=8))
    with pytest.raises(UndecodableAudio):
        read(path)


def test_the_rate_may_change_on_the_way(tmp_path: Path) -> None:
    first = encode(tmp_path / "a", tone(3, 44_100), 44_100, "mp3").read_bytes()
    second = encode(tmp_path / "b", tone(3, 22_050), 22_050, "mp3").read_bytes()
    path = tmp_path / "audio"
    path.write_bytes(first + second)
    with read(path) as audio:
        assert audio.seconds == pytest.approx(6, abs=0.3)
        assert pitch(audio) == pytest.approx(440, abs=2)


def test_a_large_tag_before_the_audio_is_skipped(tmp_path: Path) -> None:
    size = 10 << 20
    header = b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "audio"
    path.write_bytes(header + bytes(size) + encode(tmp_path / "m", tone(2, 16_000), 16_000, "mp3").read_bytes())
    with read(path) as audio:
        assert audio.seconds == pytest.approx(2, abs=0.1)


def test_a_read_only_folder_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wav(tmp_path / "audio", tone(1, 16_000))
    monkeypatch.setattr("maie.stages.decode.os.access", lambda *_: False)
    with read(path) as audio:
        assert audio.seconds == 1.0
