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
from audiofiles import MODEL, SAMPLE, reference_text, write_wav
from maie_training.wer import word_error_rate
from stack import Stack


def maie(*arguments: str, env: dict[str, str] | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {f"MAIE_{name.upper()}": value for name, value in settings.items()}
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [str(Path(sys.executable).parent / "maie"), *arguments]
    return subprocess.run(command, env={**base, **(env or {}), **own}, capture_output=True, text=True, timeout=120)


def transcribe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return maie("transcribe", *arguments, profile="embedded", asr_model=str(MODEL))


def test_version() -> None:
    assert maie("--version").stdout == f"maie {version('maie')}\n"


def test_transcribe_writes_words_to_output_and_the_rest_to_error() -> None:
    run = transcribe(str(SAMPLE))
    assert run.returncode == 0
    assert word_error_rate([reference_text()], [run.stdout]) <= 0.05
    assert [line for line in run.stderr.splitlines() if line.endswith("…")] == ["decode …", "vad …", "asr …"]
    assert "RTF 0." in run.stderr.splitlines()[-1]


def test_transcribe_to_json() -> None:
    run = transcribe("--json", str(SAMPLE))
    result = json.loads(run.stdout)
    assert set(result) == {"transcript", "metrics", "versions", "warnings"}
    assert result["metrics"]["rtf"] > 0


@pytest.mark.parametrize(("form", "first"), [("--srt", "1\n00:00:0"), ("--vtt", "WEBVTT\n\n00:00:0")])
def test_transcribe_to_subtitles(form: str, first: str) -> None:
    run = transcribe(form, str(SAMPLE))
    assert run.stdout.startswith(first)
    assert " --> " in run.stdout


def test_transcribe_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    text = tmp_path / "a.wav"
    text.write_text("no audio")
    silence = write_wav(tmp_path / "b.wav", np.zeros(16_000, np.float32))
    refused, missing, silent = transcribe(str(text)), transcribe(str(tmp_path / "c.wav")), transcribe(str(silence))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1] == "maie: The upload is not an audio file of a supported format"
    assert (missing.returncode, missing.stdout) == (2, "")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert "warning: No speech was found" in silent.stderr


def test_without_a_model_the_answer_is_2() -> None:
    run = maie("transcribe", str(SAMPLE), profile="embedded")
    assert run.returncode == 2
    assert run.stderr == "maie: The settings can't be used: MAIE_ASR_MODEL: Field required\n"


def test_doctor_finds_a_whole_service_well(service: Stack) -> None:
    run = maie("doctor", "--json", env=service.env)
    findings = {f["name"]: f for f in json.loads(run.stdout)["findings"]}
    assert set(findings) == {"settings", "platform", "credentials", "redis", "disk", "cuda", "model"}
    assert all(f["ok"] for f in findings.values()), findings
    assert run.returncode == 0


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
    ],
)
def test_doctor_finds_what_is_wrong(service: Stack, finding: str, settings: dict[str, str]) -> None:
    run = maie("doctor", env=service.env, **settings)
    assert run.returncode == 1
    assert finding in [line.split()[1] for line in run.stdout.splitlines() if line.startswith("NO")]
