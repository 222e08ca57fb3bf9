"""The form of the smoke test's result, and what a person is shown of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import maie_smoke
import pytest
from support.smoke import SCHEMA, result
from support.virtual import PROJECT


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"wer": None, "rtf": None, "transcript": "", "ok": False},
        {"clean_transcript": None, "clean_wer": None, "facts": None, "notes": None, "notes_facts": None},
    ],
)
def test_results_of_the_schema(changes: dict[str, Any]) -> None:
    jsonschema.validate(result(**changes), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [{"wer": -1}, {"rtf": 0}, {"ok": "yes"}, {"checks": []}, {"key": "secret"}, {"facts": {"lost": []}}],
)
def test_what_is_no_result(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result(**changes), SCHEMA)


def test_a_report_has_the_fields_of_the_schema(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    reference.write_text('{"language": "en", "verbatim": "We agree."}')
    params = {"url": "https://10.0.0.7:8000", "key": "k", "ca_file": "", "reference": str(reference), "seconds": 1}
    report = maie_smoke.Smoke(params).report
    around = {"host", "time", "ok", "seconds", "checks", "units"}
    assert set(report) | around == set(SCHEMA["required"]) == set(SCHEMA["properties"])


def shown(tmp_path: Path, **changes: Any) -> str:
    """What a person is shown of a result, in one line."""
    kept = tmp_path / "host.json"
    kept.write_text(json.dumps(result(**changes)))
    done = subprocess.run([PROJECT / "scripts/show-smoke", kept], check=True, text=True, capture_output=True)
    return " ".join(done.stdout.split())


def test_a_person_sees_what_was_measured_and_what_was_not_judged(tmp_path: Path) -> None:
    text = shown(tmp_path, models={"asr": "faster-whisper-base", "llm": "small"})
    assert "Word error rate 0.0%, at most 8.0% passes: of normalised words, by faster-whisper-base" in text
    assert "Notes by small: only their form is checked, what they say may be wrong or missing Title: Meeting" in text
    assert "the clean transcript kept: 2 of 3 words" in text
    assert "decisions 1 of 2, action items 1 of 2, names 1 of 2 (not judged)" in text
    assert text.endswith("A recording of your own: .venv/bin/python scripts/transcribe https://10.0.0.7:8000 YOUR_FILE")


def test_a_person_sees_what_failed_and_the_warnings(tmp_path: Path) -> None:
    checks = [{"name": "words", "ok": False, "detail": "WER 99%"}]
    nothing = {"clean_transcript": None, "facts": None, "notes": None, "notes_facts": None}
    text = shown(tmp_path, ok=False, checks=checks, warnings=["Nobody knows it."], **nothing)
    assert "DOES NOT WORK" in text
    assert "Failed WER 99% Warnings Nobody knows it." in text
    assert "Notes" not in text
