"""The samples in natural voices: their references say what is in them, and are what the talks say."""

from __future__ import annotations

import itertools
import json
import re
from datetime import date
from pathlib import Path
from typing import Any, cast

import av
import jsonschema
import numpy as np
import pytest
import yaml
from maie_training.kokoro import Kokoro
from maie_training.samples import FORMATS, main, rttm, speak, write_opus, write_sample
from maie_training.speech import SAMPLE_RATE, Samples
from maie_training.talk import Speaker, Talk, Turn, read_talk

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "files/audio"
SCHEMA = json.loads((PROJECT / "app/src/maie/prompting/templates/meeting_notes_v1/schema.json").read_text())
MOST_BYTES = 8_000_000
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@pytest.fixture(scope="module", params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


@pytest.fixture(scope="module")
def sound(name: str) -> Samples:
    return decoded(FOLDER / f"{name}{FORMATS[name]}")


def decoded(path: Path) -> Samples:
    with av.open(str(path)) as container:
        assert container.streams.audio[0].channels == 1
        to_16k = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        frames = [piece for frame in container.decode(audio=0) for piece in to_16k.resample(frame)]
        frames += to_16k.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def loudness(samples: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-12))


def test_the_audio_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_turns_are_in_order_and_inside_the_audio(reference: dict[str, Any]) -> None:
    turns = reference["turns"]
    starts = [turn["start"] for turn in turns]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert all(turn["start"] < turn["end"] <= reference["duration"] for turn in turns)
    together = [max(0.0, turn["end"] - after["start"]) for turn, after in itertools.pairwise(turns)]
    assert sum(together) <= 0.03 * reference["duration"]
    assert all(turn["end"] <= after["start"] for turn, after in zip(turns, turns[2:], strict=False))


def test_texts_are_those_of_the_turns(reference: dict[str, Any]) -> None:
    for form in ("verbatim", "clean"):
        assert reference[form] == " ".join(turn[form] for turn in reference["turns"])
    assert {turn["speaker"] for turn in reference["turns"]} == {speaker["id"] for speaker in reference["speakers"]}


def test_the_reference_is_of_the_talk(name: str, reference: dict[str, Any]) -> None:
    talk = read_talk(name)
    said = [(turn["speaker"], turn["verbatim"], turn["clean"]) for turn in reference["turns"]]
    assert said == [(turn.who, turn.verbatim, turn.clean) for turn in talk.turns]
    assert reference["notes"] == talk.notes
    assert reference["notes_without_speakers"] == talk.notes_without_speakers


def test_no_mark_is_left_in_a_text(reference: dict[str, Any]) -> None:
    assert not re.search(r"[][{}|]|  | [,.?]", reference["verbatim"] + reference["clean"])
    assert not re.search(r"\b(um|uh)\b", reference["clean"], re.IGNORECASE)


def test_rttm_has_the_turns(name: str, reference: dict[str, Any]) -> None:
    assert (FOLDER / f"{name}.rttm").read_text() == rttm(reference)


def test_notes_have_the_form_of_the_template(reference: dict[str, Any]) -> None:
    for notes in (reference["notes"], reference["notes_without_speakers"]):
        jsonschema.validate(notes, SCHEMA)
        due = [item["due_date"] for item in notes["action_items"] if item["due_date"]]
        assert all(date.fromisoformat(day) >= date.fromisoformat(notes["meeting_date"]) for day in due)
    assert all(item["assignee"] for item in reference["notes"]["action_items"])
    assert set(reference["notes"]["participants"]) == {speaker["id"] for speaker in reference["speakers"]}


def test_weekdays_fit_their_dates(reference: dict[str, Any]) -> None:
    year = int(reference["notes"]["meeting_date"][:4])
    day, month = rf"({'|'.join(DAYS)})", rf"({'|'.join(MONTHS)})"
    found = [
        *re.findall(rf"{day}, {month} (\d+)", reference["clean"]),
        *((one[0], one[2], one[1]) for one in re.findall(rf"{day}, the (\d+)\w\w of {month}", reference["clean"])),
    ]
    assert found
    for weekday, named, number in found:
        assert DAYS[date(year, MONTHS.index(named) + 1, int(number)).weekday()] == weekday


def test_the_duration_is_that_of_the_file(reference: dict[str, Any], sound: Samples) -> None:
    assert len(sound) / SAMPLE_RATE == pytest.approx(reference["duration"], abs=0.05)


def test_speech_is_where_the_turns_say(reference: dict[str, Any], sound: Samples) -> None:
    quiet = np.ones(len(sound), dtype=bool)
    for turn in reference["turns"]:
        start, end = (round(turn[edge] * SAMPLE_RATE) for edge in ("start", "end"))
        assert loudness(sound[start:end]) > -30
        quiet[max(0, start - 800) : end + 800] = False
    assert loudness(sound[quiet]) < -50


def talk(*turns: Turn) -> Talk:
    speakers = {"Anna": Speaker("a", 1.0, 0.0), "Tom": Speaker("b", 1.0, 0.0)}
    return Talk("natural-short", "meeting", 1, speakers, turns, {}, {})


class OneSecond:
    """Speaks for a second, whatever it is given, and keeps what that was."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []

    def speak(self, text: str, speaker: Speaker) -> Samples:
        self.given.append((speaker.voice, text))
        return np.full(SAMPLE_RATE, 0.1, dtype=np.float32)


def test_marks_make_three_texts_of_one() -> None:
    turn = Turn("Anna", "{So, um,} it's [$5|five dollars]. {I,} we pay {by Monday, no,} by Tuesday.")
    assert turn.verbatim == "So, um, it's $5. I, we pay by Monday, no, by Tuesday."
    assert turn.spoken == "So, um, it's five dollars. I, we pay by Monday, no, by Tuesday."
    assert turn.clean == "It's $5. We pay by Tuesday."


def test_gaps_are_drawn_or_given() -> None:
    stand_in = OneSecond()
    turns = (Turn("Anna", "It's [$5|five dollars]."), Turn("Tom", "Yes.", gap=-0.2), Turn("Anna", "Good."))
    samples, reference = speak(talk(*turns), cast(Kokoro, stand_in))
    assert stand_in.given == [("a", "It's five dollars."), ("b", "Yes."), ("a", "Good.")]
    times = [(turn["start"], turn["end"]) for turn in reference["turns"]]
    assert times[:2] == [(0.5, 1.5), (1.3, 2.3)]
    assert 2.5 <= times[2][0] <= 2.9
    assert reference["duration"] == pytest.approx(len(samples) / SAMPLE_RATE, abs=0.01)
    assert loudness(samples[: SAMPLE_RATE // 2]) == pytest.approx(-60, abs=3)


def test_a_sample_is_three_files(tmp_path: Path) -> None:
    samples, reference = speak(talk(Turn("Anna", "Yes.")), cast(Kokoro, OneSecond()))
    write_sample(samples, reference, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"natural-short.{end}" for end in ("wav", "json", "rttm")}
    assert json.loads((tmp_path / "natural-short.json").read_text()) == reference


def test_opus_is_the_same_each_time_and_as_long(tmp_path: Path) -> None:
    samples = np.sin(np.arange(3 * SAMPLE_RATE) / 10).astype(np.float32) / 4
    for file in ("one.opus", "two.opus"):
        write_opus(tmp_path / file, samples)
    assert (tmp_path / "one.opus").read_bytes() == (tmp_path / "two.opus").read_bytes()
    assert len(decoded(tmp_path / "one.opus")) == pytest.approx(len(samples), abs=SAMPLE_RATE // 20)


@pytest.mark.parametrize("name", FORMATS)
def test_every_voice_is_among_those_that_are_fetched(name: str) -> None:
    play = yaml.safe_load((PROJECT / "app/training/kokoro.yml").read_text())[0]
    fetched = {file["name"] for file in play["vars"]["speech_parts"]["kokoro-voices"]["files"]}
    assert {f"{speaker.voice}.bin" for speaker in read_talk(name).speakers.values()} <= fetched


def test_without_the_synthesiser_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["natural-short", "--models", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "missing" in capsys.readouterr().err
