"""The corpus as sound."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from maie_training import audio, cli

RATE = 16_000


def make(folder: Path, *options: str) -> list[Path]:
    arguments = ["--seed", "11", "--voices", "heldout", "--out", str(folder), *options]
    assert cli.main(arguments) == 0
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("corpus"), "--meetings", "1", "--topics", "1", "1")[0]


def test_an_item_is_sound_reference_and_speaker_turns(meeting: Path) -> None:
    assert {path.name for path in meeting.iterdir()} == {"audio.wav", "reference.json", "speakers.rttm"}
    reference = json.loads((meeting / "reference.json").read_text())
    with wave.open(str(meeting / "audio.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.getnframes() / RATE == pytest.approx(reference["duration"], abs=0.01)
    assert len((meeting / "speakers.rttm").read_text().splitlines()) == len(reference["turns"])


def test_speech_is_where_the_reference_says_and_nowhere_else(meeting: Path) -> None:
    reference = json.loads((meeting / "reference.json").read_text())
    samples = audio.read_wav(meeting / "audio.wav")
    outside = np.ones(len(samples), dtype=bool)
    for turn in reference["turns"]:
        first, last = round(turn["start"] * RATE), round(turn["end"] * RATE)
        assert np.sqrt(np.mean(np.square(samples[first:last]))) > 0.01
        # Times are rounded to hundredths of a second.
        outside[first - RATE // 100 : last + RATE // 100] = False
    assert outside.sum() > RATE
    assert np.max(np.abs(samples[outside])) == 0


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, second = (
        make(tmp_path / name, "--count", "3", "--snr", "20", "--noise", "pink") for name in ("first", "second")
    )
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        for name in ("audio.wav", "reference.json", "speakers.rttm"):
            assert (one / name).read_bytes() == (other / name).read_bytes()
