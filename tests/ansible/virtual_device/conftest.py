"""The programs of the virtual device are importable here; `device` is one that has booted, in a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "files" / "virtual-device"
sys.path[:0] = [str(FOLDER / part) for part in (".", "base/usr/lib/maie-virtual", "jetson/usr/lib/maie-virtual")]

from virtual_device_files import Device, booted_device  # noqa: E402


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    return booted_device(tmp_path, monkeypatch)
