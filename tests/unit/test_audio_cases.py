"""Recordings as people really have them: no second of speech is lost, none comes at a wrong time, and all else is told.

``tests/cases/audio`` holds what each file is, and what becomes of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from maie.errors import MaieError
from support.audiocases import CASES, cases, hear, make, other_phrase, phrase
from support.audiofiles import read

ALL = [
    pytest.param(case, id=f"{path.stem}: {name}") for path in sorted(CASES.glob("*.yml")) for name, case in cases(path)
]


@pytest.mark.parametrize("case", ALL)
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    path = make(tmp_path / "audio", case)
    right = case["right"]
    if "error" in right:
        with pytest.raises(MaieError, match=right.get("says", "")) as raised:
            read(path, **case.get("ask", {}))
        assert raised.value.code == right["error"]
        return
    with read(path, **case.get("ask", {})) as audio:
        assert audio.seconds == pytest.approx(right["seconds"], abs=right.get("within", 0.1))
        lost = round(right.get("lost", 0.0) * 16_000)
        for said, times in ((phrase(), right.get("said", [0.0])), (other_phrase(), right.get("other", []))):
            for time in times:
                begins, likeness, level = hear(audio, time, said[lost : round(right.get("heard", 5.0) * 16_000)])
                assert begins == pytest.approx(time, abs=0.06)
                assert likeness > right.get("likeness", 0.8)
                assert right.get("level", 0.0) - 2 < level < right.get("level", 0.0) + 2
        expected = right.get("warnings", [])
        assert len(audio.warnings) == len(expected), audio.warnings
        for warning, part in zip(audio.warnings, expected, strict=True):
            assert part in warning
