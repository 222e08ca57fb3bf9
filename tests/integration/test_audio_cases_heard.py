"""Some of the recordings of ``tests/cases/audio`` through the recogniser: the same words, at their times."""

from __future__ import annotations

from pathlib import Path

import pytest
from maie.domain import EngineJob, Progress, TaskOptions, TaskResult
from maie.engine import Engine
from maie.errors import TrackNotFound
from support.audiocases import CASES, cases, make, phrase
from support.audiofiles import write_wav
from support.word_errors import wrong_words

HEARD = {
    "channels": ["second channel inverted", "second channel inverted and late", "loud noise on the other side"],
    "levels": ["24 bits, 60 dB too quiet", "16 bits, 40 dB too quiet"],
    "times": ["a gap in WebM", "a late start in MP4"],
    "tracks": ["the second one is the default, the first is silent"],
    "lengths": ["WAV whose header tells less than there is"],
}
ALL = [pytest.param(kind, name, id=f"{kind}: {name}") for kind, names in HEARD.items() for name in names]


def hear(engine: Engine, path: Path, options: TaskOptions | None = None) -> TaskResult:
    def tick(_: Progress | None) -> None:
        """Let everything go on."""

    return engine.run(EngineJob("task", path, options or TaskOptions()), tick)


@pytest.fixture(scope="module")
def clean(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> TaskResult:
    """What is heard of the phrase itself."""
    return hear(engine, write_wav(tmp_path_factory.mktemp("clean") / "audio", phrase()))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_the_words_are_heard_at_their_times(
    engine: Engine, clean: TaskResult, kind: str, name: str, tmp_path: Path
) -> None:
    case = dict(cases(CASES / f"{kind}.yml"))[name]
    result = hear(engine, make(tmp_path / "audio", case))
    said = case["right"].get("said", [0.0])
    text = " ".join([clean.transcript.text] * len(said))
    assert wrong_words(text, result.transcript.text) <= 0.15  # "May 22" or "May 22nd"
    for time in said:
        begins = clean.transcript.segments[0].start + time
        assert min(abs(segment.start - begins) for segment in result.transcript.segments) < 0.3
    assert len(result.warnings) == len(case["right"].get("warnings", []))


def test_a_track_that_is_not_there_is_an_error_of_the_client(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(TrackNotFound, match="no track 2"):
        hear(engine, write_wav(tmp_path / "audio", phrase()), TaskOptions(track=2))
