"""The ``maie`` command, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from support.audiofiles import LLM, MEMO, MODEL, reference_text, write_wav
from support.stack import Stack
from support.word_errors import wrong_words


def maie(*arguments: str, env: dict[str, str] | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {f"MAIE_{name.upper()}": value for name, value in settings.items()}
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [str(Path(sys.executable).parent / "maie"), *arguments]
    return subprocess.run(command, env={**base, **(env or {}), **own}, capture_output=True, text=True, timeout=120)


def transcribe(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return maie("transcribe", *arguments, profile="embedded", asr_model=str(MODEL), **settings)


def test_version() -> None:
    assert maie("--version").stdout == f"maie {version('maie')}\n"


def test_transcribe_writes_words_to_output_and_the_rest_to_error() -> None:
    run = transcribe(str(MEMO))
    assert run.returncode == 0
    assert wrong_words(reference_text(MEMO), run.stdout) <= 0.05
    assert [line for line in run.stderr.splitlines() if line.endswith("…")] == ["decode …", "vad …", "asr …"]
    assert "RTF 0." in run.stderr.splitlines()[-1]


def test_transcribe_to_json() -> None:
    run = transcribe("--json", str(MEMO))
    result = json.loads(run.stdout)
    assert set(result) == {"transcript", "clean", "summary", "metrics", "versions", "warnings", "error"}
    assert result["metrics"]["rtf"] > 0


def test_transcribe_cleans_and_summarises() -> None:
    asked = ("--clean", "--summary", "meeting_notes_v1")
    run = transcribe(*asked, str(MEMO), llm_backend="ctranslate2", llm_model=str(LLM))
    assert run.returncode == 0, run.stderr
    clean, _, notes = run.stdout.partition("\n{")
    assert wrong_words(json.loads(MEMO.with_suffix(".json").read_text())["clean"], clean) <= 0.15
    assert json.loads("{" + notes)["title"]
    assert "summary …" in run.stderr


def test_a_result_says_how_the_language_model_was_asked() -> None:
    run = transcribe("--json", "--clean", str(MEMO), llm_backend="ctranslate2", llm_model=str(LLM), llm_prompts="lines")
    assert json.loads(run.stdout)["versions"]["llm"]["prompts"] == "lines"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--clean",), "The feature clean_transcript is not available in this deployment."),
        (("--summary", "x"), "The feature summary is not available in this deployment."),
    ],
)
def test_transcribe_says_what_the_deployment_lacks(arguments: tuple[str, ...], said: str) -> None:
    run = transcribe(*arguments, str(MEMO))
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"maie: {said}\n")


def test_there_are_no_subtitles_of_a_summary() -> None:
    run = transcribe("--srt", "--summary", "meeting_notes_v1", str(MEMO))
    assert (run.returncode, run.stdout) == (2, "")


def test_templates_check_names_each_template_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    assert maie("templates", "check", str(tmp_path)).returncode == 0
    (tmp_path / "poem_v1").mkdir()
    run = maie("templates", "check", str(tmp_path))
    lines = dict(line.split(maxsplit=1)[::-1] for line in run.stdout.splitlines() if line.startswith("ok"))
    assert run.returncode == 1
    assert set(lines) == {"generic_summary_v1", "interview_transcript_v1", "meeting_notes_v1", "text_enhancement_v1"}
    assert "NO  poem_v1" in run.stdout
    assert maie("templates", "check", str(tmp_path / "nowhere")).returncode == 2


@pytest.mark.parametrize(("form", "first"), [("--srt", "1\n00:00:0"), ("--vtt", "WEBVTT\n\n00:00:0")])
def test_transcribe_to_subtitles(form: str, first: str) -> None:
    run = transcribe(form, str(MEMO))
    assert run.stdout.startswith(first)
    assert " --> " in run.stdout


def test_transcribe_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    text = tmp_path / "a.wav"
    text.write_text("no audio")
    silence = write_wav(tmp_path / "b.wav", np.zeros(16_000, np.float32))
    refused, missing, silent = transcribe(str(text)), transcribe(str(tmp_path / "c.wav")), transcribe(str(silence))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1] == "maie: This is text, not a recording."
    assert (missing.returncode, missing.stdout) == (2, "")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert "warning: No speech was found in the audio, which is nothing but digital silence." in silent.stderr
    other = transcribe("--track", "2", str(silence))
    assert (other.returncode, other.stderr.splitlines()[-1]) == (
        1,
        "maie: There is no track 2: the file has 1 audio track.",
    )


def test_without_a_model_the_answer_is_2() -> None:
    run = maie("transcribe", str(MEMO), profile="embedded")
    assert run.returncode == 2
    assert run.stderr == "maie: The settings can't be used: MAIE_ASR_MODEL: Field required\n"


def test_doctor_finds_a_whole_service_well(service: Stack) -> None:
    run = maie("doctor", "--json", env=service.env)
    findings = {f["name"]: f for f in json.loads(run.stdout)["findings"]}
    assert set(findings) == {
        "settings",
        "platform",
        "credentials",
        "redis",
        "disk",
        "probe",
        "cuda",
        "model",
        "templates",
        "llm",
    }
    assert all(f["ok"] for f in findings.values()), findings
    assert findings["llm"]["detail"].endswith("prompts whole")
    assert run.returncode == 0


def test_doctor_tells_where_uploads_can_not_be_looked_at_safely(service: Stack) -> None:
    for confined, ok in (("true", False), ("false", None)):
        command = ["setarch", "linux32", str(Path(sys.executable).parent / "maie"), "doctor", "--json"]
        run = subprocess.run(
            command, env={**service.env, "MAIE_PROBE_CONFINED": confined}, capture_output=True, text=True, timeout=120
        )
        assert {f["name"]: f["ok"] for f in json.loads(run.stdout)["findings"]}["probe"] is ok


@pytest.mark.parametrize(
    ("finding", "settings"),
    [
        ("settings", {"port": "none"}),
        ("platform", {"profile": "jetson", "asr_device": "cpu", "asr_compute_type": "int8"}),
        ("credentials", {"host": "0.0.0.0"}),
        ("redis", {"redis_socket": "/nowhere"}),
        ("disk", {"data_dir": "/nowhere"}),
        ("cuda", {"asr_device": "cuda"}),
        ("model", {"asr_model": "/nowhere"}),
        ("templates", {"templates_dir": "/nowhere"}),
        ("llm", {"llm_model": "/nowhere"}),
        ("llm", {"llm_backend": "openai", "llm_url": "http://127.0.0.1:9/v1"}),
    ],
)
def test_doctor_finds_what_is_wrong(service: Stack, finding: str, settings: dict[str, str]) -> None:
    run = maie("doctor", env=service.env, **settings)
    assert run.returncode == 1
    assert finding in [line.split()[1] for line in run.stdout.splitlines() if line.startswith("NO")]
