"""Where the control group of the language model's server is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from maie.engine import server_unit

UNIFIED = "0::/system.slice/maie-worker.service"
HYBRID = "1:name=systemd:/system.slice/maie-worker.service\n4:memory:/elsewhere\n0::/system.slice/maie-worker.service"
IN_A_CONTAINER = "0::/docker/39af/system.slice/maie-worker.service"
SESSION = "0::/user.slice/user-0.slice/session-3.scope"


@pytest.mark.parametrize(
    ("own", "group"),
    [
        (UNIFIED, "system.slice/maie-llm.service"),
        (HYBRID, "systemd/system.slice/maie-llm.service"),
        (HYBRID, "unified/system.slice/maie-llm.service"),
        (IN_A_CONTAINER, "docker/39af/system.slice/maie-llm.service"),
        (SESSION, "system.slice/maie-llm.service"),
    ],
)
@pytest.mark.parametrize("left", ["4711\n", ""])
def test_processes_of_the_unit_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, group: str, left: str
) -> None:
    (tmp_path / group).mkdir(parents=True)
    (tmp_path / group / "cgroup.procs").write_text(left)
    monkeypatch.setattr(server_unit, "CGROUPS", [tmp_path / root for root in ("", "unified", "systemd")])
    real = server_unit._text
    monkeypatch.setattr(server_unit, "_text", lambda path: own if path == Path("/proc/self/cgroup") else real(path))
    assert server_unit.server_lives() is bool(left)
