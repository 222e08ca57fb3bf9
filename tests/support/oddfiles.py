"""Writes audio files that FFmpeg reads and does not write, or not so."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction

import av
import numpy as np

from support.audiofiles import Samples

DSD_RATE = 64 * 44_100


def sphere(said: Samples) -> bytes:
    """NIST SPHERE, as corpora of speech have it."""
    lines = "NIST_1A\n   1024\nsample_rate -i 16000\nsample_count -i {}\nchannel_count -i 1\nsample_n_bytes -i 2\n"
    lines += "sample_byte_format -s2 01\nsample_sig_bits -i 16\nsample_coding -s3 pcm\nend_head\n"
    return lines.format(len(said)).encode().ljust(1024, b"\n") + _pcm(said)


def dss(said: Samples) -> bytes:
    """DSS in the codec of its long-play mode, G.723.1: frames of 24 bytes in blocks of 512, of which 6 are a header."""
    header = bytearray(3 * 512)
    header[:4] = b"\x03dss"
    header[0x32:0x3E] = b"261130093000"
    header[0x2A4] = 2
    frames = b"".join(_g723_1(said))
    blocks = [frames[i : i + 506] for i in range(0, len(frames), 506)]
    return bytes(header) + b"".join(_dss_block(number, block) for number, block in enumerate(blocks))


def dsf(said: Samples) -> bytes:
    """DSF: one bit a sample, the first in a byte's lowest bit, in blocks of 4096 bytes."""
    bits = np.packbits(_one_bit(said), bitorder="little").tobytes()
    padded = bits.ljust(-(-len(bits) // 4096) * 4096, b"\x69")
    form = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, DSD_RATE, 1, len(bits) * 8, 4096, 0)
    data = b"data" + struct.pack("<Q", 12 + len(padded)) + padded
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(form) + len(data), 0) + form + data


def dsdiff(said: Samples) -> bytes:
    """DSDIFF: one bit a sample, the first in a byte's highest bit."""
    properties = b"SND " + _chunk(b"FS  ", struct.pack(">I", DSD_RATE)) + _chunk(b"CHNL", b"\0\1SLFT")
    properties += _chunk(b"CMPR", b"DSD \x0enot compressed\0")
    bits = np.packbits(_one_bit(said)).tobytes()
    body = b"DSD " + _chunk(b"FVER", b"\1\5\0\0") + _chunk(b"PROP", properties) + _chunk(b"DSD ", bits)
    return _chunk(b"FRM8", body)


def ape(said: Samples) -> bytes:
    """Monkey's Audio, as long as the phrase, in one frame that says that it is silent: nobody else has an encoder."""
    frame = struct.pack("<III", 0x80000000, 3, 0)
    header = struct.pack("<HHIIIHHI", 2000, 0x20, 73_728 * 4, len(said), 1, 16, 1, 16_000)
    sizes = struct.pack("<IIIIIII", 52, len(header), 4, 0, len(frame), 0, 0)
    seek_table = struct.pack("<I", 52 + len(header) + 4)
    return b"MAC " + struct.pack("<HH", 3990, 0) + sizes + bytes(16) + header + seek_table + frame


def mxf(said: Samples) -> bytes:
    """MXF, as cameras of broadcasters have it: pictures are needed, sound comes in pieces of theirs."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mxf") as container:
        pictures = container.add_stream("mpeg2video", rate=25)
        pictures.width = pictures.height = 64
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        fast = av.AudioResampler(format="s16", layout="mono", rate=48_000, frame_size=1_920)
        whole = av.AudioFrame.from_ndarray(said[None, :], format="flt", layout="mono")
        whole.sample_rate = 16_000
        for part in [*fast.resample(whole), *fast.resample(None)]:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))))
            container.mux(sound.encode(part))
        container.mux(pictures.encode(None))
    return buffer.getvalue()


def odd_wav(said: Samples) -> bytes:
    """WAV of 8 bits, an odd number of them, with 40 kB of tags behind the sound that nothing aligns."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 16_000, 1, 8)
    sound = np.clip(np.rint(said * 127 + 128), 0, 255).astype(np.uint8).tobytes() + b"\x80"
    tags = b"LIST" + struct.pack("<I", 40_000) + b"ICMT" + bytes(range(32, 72)) * 1000
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(sound)) + sound + tags[:40_008]
    return b"RIFF" + struct.pack("<I", len(body)) + body


WRITERS: Mapping[str, Callable[[Samples], bytes]] = {
    "ape": ape,
    "dsdiff": dsdiff,
    "dsf": dsf,
    "dss": dss,
    "mxf": mxf,
    "odd_wav": odd_wav,
    "sphere": sphere,
}


def _pcm(said: Samples) -> bytes:
    return (said * 32767).astype("<i2").tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">Q", len(content)) + content


def _one_bit(said: Samples) -> np.ndarray:
    """Samples as stretches of ones, each as long as its sample is high: crude, and exact enough for speech."""
    times = np.arange(len(said) * 44_100 // 16_000) * 16_000 / 44_100
    ones = 32 * (1 + np.interp(times, np.arange(len(said)), said))
    return np.arange(64)[None, :] < np.floor(ones + np.random.default_rng(1).random(len(ones)))[:, None]


def _g723_1(said: Samples) -> list[bytes]:
    encoder = av.CodecContext.create("g723_1", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8_000, "mono", "s16"
    encoder.bit_rate, encoder.time_base = 6_300, Fraction(1, 8_000)
    slow = av.AudioResampler(format="s16", layout="mono", rate=8_000, frame_size=240)
    whole = av.AudioFrame.from_ndarray(said[None, :], format="flt", layout="mono")
    whole.sample_rate = 16_000
    frames = [*slow.resample(whole), *slow.resample(None)]
    return [bytes(packet) for frame in frames if frame.samples == 240 for packet in encoder.encode(frame)]


def _dss_block(number: int, content: bytes) -> bytes:
    return bytes((0, 0, min(255, len(content) // 24), 0, 0, number % 256)) + content.ljust(506, b"\0")
