"""Audio files of every supported kind, made on the spot, the sample, and the paths of the models."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from maie.stages.decode import Audio, decode
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "faster-whisper-tiny.en"
BASE = ROOT / "models" / "faster-whisper-base"
LLM = ROOT / "tests" / "models" / "tiny-llm-en"
"""A language model for whatever needs an engine and not its wit."""
REAL_LLM = ROOT / "models" / "maie-llm-en-v2"
SAMPLE = ROOT / "files" / "audio" / "natural-meeting.wav"
MEMO = ROOT / "files" / "audio" / "natural-short.wav"
"""Twelve seconds, where a minute of the sample would show no more."""
WRITTEN = ROOT / "tests" / "cases" / "notes" / "meeting.json"
"""A meeting in the words that the language model was trained on, with its notes; nobody speaks it."""

CODECS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "m4a": ("mp4", "aac"),
    "ogg": ("ogg", "vorbis"),
    "opus": ("ogg", "libopus"),
    "webm": ("webm", "libopus"),
}
"""Kinds of files with FFmpeg's names of muxer and encoder."""

Samples = NDArray[np.float32]


def reference_text(path: Path = SAMPLE) -> str:
    """What is said in the sample, or in the memo."""
    text: str = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["verbatim"]
    return text


def sample(path: Path = SAMPLE) -> Samples:
    """The samples of the sample, or of the memo: 16 kHz, mono."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Samples:
    """A sine of half the full amplitude."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encode(path: Path, samples: Samples, rate: int, kind: str, channels: int = 1) -> Path:
    """Write mono samples to every channel of a file of one of the :data:`CODECS`."""
    muxer, codec = CODECS[kind]
    if codec == "vorbis":
        channels = 2  # all that FFmpeg's own encoder can do
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
    with av.open(str(path), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=48_000 if codec == "libopus" else rate, layout=layout)
        if kind == "mp3":
            stream.codec_context.bit_rate = 64_000  # the encoder's own choice at 8 kHz is 8 kbit/s
        stream.codec_context.options = {"strict": "experimental"}
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None, :], format="flt", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=stream.rate, frame_size=None)
        fifo = av.AudioFifo()
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        size = stream.codec_context.frame_size or 4096
        written = 0
        while (block := fifo.read(size, partial=True)) is not None:
            block.pts = written
            written += block.samples
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


def write_wav(path: Path, samples: Samples, rate: int = 16_000) -> Path:
    """Write mono samples as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def read(path: Path, max_seconds: float = 100.0, **asked: Any) -> Audio:
    """Decode a file and see that no other file appears beside it."""
    before = set(path.parent.iterdir())
    try:
        return decode(path, max_seconds, lambda _: None, **asked)
    finally:
        assert set(path.parent.iterdir()) == before


def pitch(audio: Audio) -> float:
    """The loudest frequency in hertz."""
    return float(np.abs(np.fft.rfft(audio.window(0, audio.samples))).argmax() / audio.seconds)
