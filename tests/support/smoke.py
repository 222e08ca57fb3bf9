"""A result of the smoke test, the meeting that it sends, and a catalogue of models."""

from __future__ import annotations

import json
from typing import Any

from support.virtual import PROJECT

SCHEMA = json.loads((PROJECT / "files/schemas/smoke.json").read_text())
REFERENCE = json.loads((PROJECT / "files/audio/natural-meeting.json").read_text())
NOTES = REFERENCE["notes_without_speakers"]
CLEAN: str = REFERENCE["clean"]
CATALOGUE: dict[str, Any] = {
    "tried": {"languages": ["en", "de"], "gate": {"wer": {"en": 0.08}}},
    "untried": {"languages": [], "gate": {}},
    "writes-no-notes": {"languages": ["en"], "gate": {"notes": False}},
}


def result(**changes: Any) -> dict[str, Any]:
    return {
        "host": "jetson-virtual-01",
        "time": "2025-01-08T01:49:37Z",
        "ok": True,
        "url": "https://10.0.0.7:8000",
        "release": "a" * 12,
        "profile": "embedded",
        "models": {"asr": "faster-whisper-base"},
        "states": ["PENDING", "COMPLETE"],
        "language": "en",
        "transcript": "we agree",
        "reference": "We agree.",
        "wer": 0.0,
        "most_wer": 0.08,
        "differences": [],
        "clean_transcript": "We agree.",
        "clean_wer": 0.0,
        "facts": {"heard": 3, "lost": ["monday"]},
        "notes": {"title": "Meeting"},
        "notes_facts": {name: {"found": 1, "of": 2, "written": 3} for name in ("decisions", "action_items", "names")},
        "warnings": [],
        "rtf": 0.04,
        "audio_seconds": 30.0,
        "processing_seconds": 1.2,
        "seconds": 2.5,
        "checks": [{"name": "ready", "ok": True, "detail": "HTTP 200"}],
        "units": [
            {
                "name": "maie-api.service",
                "active": True,
                "state": "active (running)",
                "restarts": 0,
                "errors": [],
                "stale_credentials": [],
            }
        ],
        **changes,
    }
