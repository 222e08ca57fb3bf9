"""Recordings as clients send them: what they hold decides, whatever they are called, and every kind becomes words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audiocases import CASES, Case, cases, make
from support.stack import Stack

ALL = {name: case for path in CASES.glob("*.yml") for name, case in cases(path)}
M4A: Case = {"file": {"container": "ipod", "tracks": [{"codec": "aac", "rate": 48000}]}}


@pytest.mark.parametrize(
    ("name", "kind", "case"),
    [
        ("recording.webm", "audio/webm;codecs=opus", ALL["WebM without a duration"]),
        ("PTT-20260904-WA0001.opus", "application/octet-stream", ALL["a WhatsApp note, Opus in Ogg"]),
        ("voice.ogg", "audio/ogg", M4A),
        ("call.mp3", "audio/mpeg", ALL["AMR in 3GP of a phone"]),
        ("", "", ALL["CAF, Opus of an iPhone's messages"]),
        ("meeting.wma", "audio/x-ms-wma", ALL["WMA 2"]),
        ("00001.MTS", "video/mp2t", ALL["M2TS of a camcorder, AC-3"]),
        ("dictation.dss", "text/plain", ALL["DSS of a dictation machine, long play"]),
    ],
)
def test_what_a_recording_holds_decides(service: Stack, tmp_path: Path, name: str, kind: str, case: Case) -> None:
    content = make(tmp_path / "audio", case).read_bytes()
    with service.client() as client:
        answer = client.post("/v1/process", files={"file": (name or "blob", content, kind or None)})
    assert answer.status_code == 202, answer.text
    state = service.wait_final(answer.json()["task_id"])
    assert state["status"] == "COMPLETE"
    assert state["warnings"] == []
    text = state["results"]["raw_transcript"].lower()
    assert "thursday" in text
    assert "may 22" in text


def test_a_track_is_taken_by_its_number_or_refused_at_once(service: Stack, tmp_path: Path) -> None:
    content = make(tmp_path / "audio", ALL["the one that is asked for"]).read_bytes()
    with service.client() as client:
        taken = client.post("/v1/process", files={"file": content}, data={"track": "1"})
        refused = client.post("/v1/process", files={"file": content}, data={"track": "3"})
    assert (refused.status_code, refused.json()["code"]) == (422, "track_not_found")
    state = service.wait_final(taken.json()["task_id"])
    assert "thursday" in state["results"]["raw_transcript"].lower()
