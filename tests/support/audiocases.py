"""Makes the audio files that ``tests/cases/audio`` describes, and finds in what was decoded of them the phrase."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
import yaml
from maie.stages.decode import Audio
from numpy.typing import NDArray

from support.audiofiles import MEMO, ROOT, Samples
from support.oddfiles import WRITERS

RATE = 16_000
CASES = ROOT / "tests" / "cases" / "audio"
Case = dict[str, Any]


def cases(path: Path) -> Iterator[tuple[str, Case]]:
    """Yield name and content of each case of a file."""
    yield from yaml.safe_load(path.read_text(encoding="utf-8")).items()


def phrase() -> Samples:
    """What is said in each case: the first five seconds of the memo, 16 kHz mono."""
    with av.open(str(MEMO)) as container:
        spoken = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return spoken[: 5 * RATE].astype(np.float32) / 32768


def other_phrase() -> Samples:
    """What somebody else says: another part of the memo."""
    with av.open(str(MEMO)) as container:
        spoken = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return spoken[6 * RATE : 11 * RATE].astype(np.float32) / 32768


def make(path: Path, case: Case) -> Path:
    """Write the file of a case; ``tests/cases/audio/README.md`` says what a case may hold."""
    made = case["file"]
    if "fixture" in made:
        path.write_bytes((CASES / "fixtures" / made["fixture"]).read_bytes())
    elif "writer" in made:
        path.write_bytes(WRITERS[made["writer"]](phrase()))
    else:
        _encode(path, made)
    content = bytearray(path.read_bytes())
    for edit in case.get("edits", []):
        content = _edited(content, edit)
    path.write_bytes(content)
    return path


def _encode(path: Path, made: Case) -> None:
    tracks = made.get("tracks", [{}])
    with av.open(str(path), "w", format=made["container"], options=made.get("options", {})) as container:
        if made.get("video"):
            picture = container.add_stream(made.get("picture", "libx264"), rate=10)
            picture.width = picture.height = 64
        streams = [_add_track(container, track) for track in tracks]
        packets = [packet for stream, track in zip(streams, tracks, strict=True) for packet in _packets(stream, track)]
        if made.get("video"):
            packets += _pictures(picture, made["video"])
        container.start_encoding()
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)


def _add_track(container: Any, track: Case) -> Any:
    channels = track.get("channels", [{}])
    layout = track.get("layout") or {1: "mono", 2: "stereo", 6: "5.1", 16: "hexadecagonal"}[len(channels)]
    stream = container.add_stream(track.get("codec", "pcm_s16le"), rate=track.get("rate", RATE), layout=layout)
    if "format" in track:
        stream.codec_context.format = track["format"]
    stream.codec_context.options = {"strict": "experimental", **track.get("options", {})}
    stream.metadata.update({key: track[key] for key in ("language", "title") if key in track})
    stream.disposition = av.stream.Disposition.default if track.get("default") else av.stream.Disposition(0)
    return stream


def _packets(stream: Any, track: Case) -> Iterator[Any]:
    """Yield a track's packets; the phrase is said at each of ``at``, with nothing at all between."""
    rate, made, written = stream.rate, _channels(track), 0
    for start, jitter in zip(track.get("at", [0.0]), _jitters(track), strict=False):
        sound = np.stack([soxr.resample(channel, RATE, rate) if rate != RATE else channel for channel in made])
        frame = av.AudioFrame.from_ndarray(sound.T.reshape(1, -1).copy(), format="flt", layout=stream.layout.name)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate)
        fifo = av.AudioFifo()
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        done, size = 0, stream.codec_context.frame_size or 1024
        while (block := fifo.read(size, partial=stream.codec_context.frame_size == 0)) is not None:
            block.pts = round(start * rate) + done + round(jitter() * rate)
            block.time_base = Fraction(1, rate)
            done += block.samples
            yield from stream.encode(block)
        written += done
    yield from stream.encode(None)


def _jitters(track: Case) -> Iterator[Any]:
    """Yield, for each time that the phrase is said, what the times of its packets are off by."""
    generator, most = np.random.default_rng(1), track.get("jitter", 0.0)
    while True:
        yield lambda: generator.uniform(-most, most)


def _pictures(stream: Any, seconds: float) -> Iterator[Any]:
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))
        frame.pts, frame.time_base = number, Fraction(1, 10)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _channels(track: Case) -> list[Samples]:
    said, other = phrase(), other_phrase()
    made = []
    for number, channel in enumerate(track.get("channels", [{}])):
        sound = np.roll(said, round(channel.get("late", 0.0) * RATE)) * 10 ** (channel.get("db", 0.0) / 20)
        sound = 0 * sound if channel.get("silent") else sound
        sound = np.concatenate([0 * said, other, 0 * said]) if channel.get("other") else sound
        sound = np.concatenate([np.zeros(round(channel.get("after", 0.0) * RATE), np.float32), sound])
        if channel.get("inverted") is True:
            sound = -sound
        for start, end in channel["inverted"] if isinstance(channel.get("inverted"), list) else []:
            sound[round(start * RATE) : round(end * RATE)] *= -1
        time = np.arange(len(sound)) / RATE
        if "noise" in channel:
            level = 10 ** (channel["noise"] / 20)
            sound = sound + np.random.default_rng(number).normal(0, level, len(sound))
        if "hum" in channel:
            sound = sound + 10 ** (channel["hum"] / 20) * np.sqrt(2) * np.sin(2 * np.pi * 50 * time)
        made.append((sound + channel.get("dc", 0.0)).astype(np.float32))
    longest = max(map(len, made))
    return [np.pad(sound, (0, longest - len(sound))) for sound in made]


def _edited(content: bytearray, edit: Case) -> bytearray:
    """Return a file's bytes after one edit."""
    if "before" in edit:
        return bytearray.fromhex(edit["before"]) * edit.get("times", 1) + content
    if "keep" in edit:
        share = edit["keep"]
        return content[: round(len(content) * share) if share <= 1 else share]
    if "before_last" in edit:
        return content[: content.rindex(edit["before_last"].encode())]
    if "append" in edit:
        return content + bytes.fromhex(edit["append"]) * edit.get("times", 1)
    if "times" in edit:
        return content * int(edit["times"])
    if "drop" in edit:
        return content[edit["drop"] :]
    if "rename" in edit:
        old, new = (name.encode() for name in edit["rename"])
        return content.replace(old, new, 1)
    marker = edit["after"].encode("latin-1")
    start = content.index(marker) + len(marker) + edit.get("skip", 0)
    new = bytes.fromhex(edit["put"])
    content[start : start + len(new)] = new
    return content


def hear(audio: Audio, near: float, said: NDArray[np.float32]) -> tuple[float, float, float]:
    """Find what was said, whatever its polarity, within two seconds of a time.

    Returns:
        The time at which it begins; its likeness to the original, 0 to 1; its level against the original's, in dB.
    """
    first = max(0, round((near - 2) * RATE))
    heard = audio.window(first, round((near + 2) * RATE) + len(said))
    size = len(heard) + len(said)
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    match = np.abs(np.fft.irfft(product, size)[: len(heard)])
    place = int(match.argmax())
    found = heard[place : place + len(said)]
    power = float(np.square(found).sum() * np.square(said[: len(found)]).sum())
    likeness = float(match[place]) / np.sqrt(power) if power else 0.0
    level = 10 * np.log10(max(1e-20, float(np.square(found).mean())) / float(np.square(said).mean()))
    return (first + place) / RATE, likeness, level
