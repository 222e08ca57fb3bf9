"""What several tests of the API's server share."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from maie.api.http import visitors
from maie.api.http.connections import Connection


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "ARRIVAL_SECONDS", 0.4)
    monkeypatch.setattr(Connection, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(Connection, "STUCK_SECONDS", 0.2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-out", str(files[0]), "-keyout", str(files[1]), "-subj", "/CN=maie"]
    subprocess.run(command, check=True, capture_output=True)
    return files
