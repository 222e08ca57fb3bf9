"""Lengths: headers that are broken on purpose end in a figure or in nothing, quickly."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from maie.audio.lengths import breaks_off, is_chunked, sound_of
from maie.errors import MaieError
from support.audiocases import Case, make

CONTAINERS: dict[str, Case] = {
    "wav": {"container": "wav"},
    "rf64": {"container": "wav", "options": {"rf64": "always"}},
    "w64": {"container": "w64"},
    "aiff": {"container": "aiff", "tracks": [{"codec": "pcm_s16be"}]},
    "caf": {"container": "caf", "tracks": [{"codec": "pcm_s16be"}]},
    "au": {"container": "au", "tracks": [{"codec": "pcm_s16be"}]},
    "ogg": {"container": "ogg", "tracks": [{"codec": "libopus", "rate": 48_000}]},
    "webm": {"container": "webm", "tracks": [{"codec": "libopus", "rate": 48_000}]},
    "mpegts": {"container": "mpegts", "tracks": [{"codec": "aac", "rate": 48_000}]},
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_whole_file_is_as_long_as_its_header_tells(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / "audio", {"file": CONTAINERS[kind]})
    sound = sound_of(path)
    assert sound is None or 160_000 <= sound.declared == sound.present <= 160_008
    assert (sound is not None) == is_chunked(path) == (kind not in ("ogg", "webm", "mpegts"))
    assert not breaks_off(path)


@pytest.mark.parametrize("kind", [kind for kind in CONTAINERS if kind != "mpegts"])
def test_any_bytes_in_a_header_end_in_an_answer(tmp_path: Path, kind: str) -> None:
    generator, path = random.Random(5), tmp_path / "audio"
    original = make(path, {"file": CONTAINERS[kind]}).read_bytes()
    for _ in range(200):
        content = bytearray(
            original[: generator.choice((generator.randrange(5, 60), generator.randrange(60, len(original))))]
        )
        for _ in range(generator.choice((1, 4, 16))):
            place = generator.randrange(4, min(200, len(content)))
            content[place : place + 4] = generator.choice(
                (b"\xff" * 4, b"\x80\0\0\0", b"\0" * 4, generator.randbytes(4))
            )
        path.write_bytes(content)
        with suppress(MaieError):
            sound = sound_of(path)
            assert sound is None or sound.present >= 0
            breaks_off(path)
