"""What runs from files that were replaced meanwhile is told, whichever run replaced them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import unit_health
from plugin_runner import RunModule

RELEASE, SERVICE, SERVER = "a" * 12, "1" * 12, "2" * 12


@pytest.mark.parametrize(
    ("unit_age", "manifest", "stale"),
    [
        pytest.param(3600, {"environment": SERVICE, "llm_environment": {"id": SERVER}}, [SERVICE, SERVER], id="older"),
        pytest.param(3600, {"environment": SERVER, "llm_environment": None}, [SERVER], id="older than one"),
        pytest.param(-1, {"environment": SERVICE}, [], id="younger"),
        pytest.param(3600, {"environment": "3" * 12}, [], id="nothing there"),
        pytest.param(3600, [], [], id="no manifest"),
    ],
)
def test_a_unit_that_is_older_than_its_environment_is_told(
    tmp_path: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, unit_age: float, manifest: object,
    stale: list[str],
) -> None:  # fmt: skip
    started = int((time.monotonic() - unit_age) * 1e6)
    (tmp_path / "bin").mkdir()
    systemctl = tmp_path / "bin/systemctl"
    systemctl.write_text(f"#!/bin/sh\necho ActiveState=active\necho InactiveExitTimestampMonotonic={started}\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:/usr/bin:/bin")
    for name in (f"releases/{RELEASE}", f"environments/{SERVICE}", f"environments/{SERVER}"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / f"releases/{RELEASE}/manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "current").symlink_to(f"releases/{RELEASE}")
    (unit,) = run_module(unit_health, units=["maie-worker.service"], release_root=str(tmp_path))["units"]
    assert (unit["active"], unit["stale_environments"]) == (True, stale)
