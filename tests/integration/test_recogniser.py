"""The corpus as sound, and how well the shipped recogniser hears what it has never heard before."""

from __future__ import annotations

import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from audiofiles import MODEL
from maie_training import audio, cli, evaluate

FULL = "MAIE_TEST_FULL" in os.environ
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


def test_word_error_rates_on_fresh_held_out_speech(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--count", "500", "--meetings", "10"] if FULL else ["--count", "40", "--meetings", "1"]
    status = evaluate.main(["--model", str(MODEL), "--seed", "20261", *size])
    printed = capsys.readouterr().out
    print(printed)
    assert status == 0
    assert len(json.loads(printed)["results"]) == 5


def test_an_evaluation_beyond_its_limit_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", str(MODEL), "--count", "1", "--meetings", "0"]
    assert evaluate.main([*arguments, "--most-wer", "-1"]) == 1
    assert evaluate.main(["--model", "/nonexistent", "--count", "1", "--meetings", "0"]) == 2
    assert "maie-evaluate-asr:" in capsys.readouterr().err
