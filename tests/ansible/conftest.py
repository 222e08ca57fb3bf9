"""Lets the tests import the project's modules as Ansible does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from package_index_server import PackageIndex, serving
from plugin_runner import RunModule
from speech_wheels import arguments, fill

PROJECT = Path(__file__).parents[2]
# Trees of systems; links in them lead round in circles.
collect_ignore = ["recorded"]
sys.path[:0] = [
    str(PROJECT / "plugins/module_utils"),
    str(PROJECT / "plugins/modules"),
    str(PROJECT / "plugins/filter"),
    str(PROJECT / "roles/wheelhouse/files"),
]


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Run a module in this process and return its result; ``check=True`` is check mode."""

    def run(module: ModuleType, check: bool = False, **arguments: Any) -> dict[str, Any]:
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """The index that pip and npm are set to, by their environment alone; nothing of this machine's holds."""
    for name in [name for name in os.environ if name.upper().startswith(("PIP_", "NPM_CONFIG_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(PackageIndex()) as running:
        settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{running.url}/simple", "PIP_RETRIES": "0"}
        # pip keeps what it got from a server that it trusts, as it would of one with a certificate.
        settings |= {"PIP_TRUSTED_HOST": running.url.removeprefix("http://")}
        settings |= {"npm_config_registry": f"{running.url}/npm/", "npm_config_fetch_retries": "0"}
        settings |= {"npm_config_userconfig": str(tmp_path / "npmrc"), "HOME": str(tmp_path / "home")}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        fill(running)
        yield running


@pytest.fixture
def fetch_speech(run_module: RunModule, tmp_path: Path) -> RunModule:
    """Fetch the model of the index from some sources."""

    def call(*sources: dict[str, Any], check: bool = False, **changed: Any) -> dict[str, Any]:
        return run_module(import_module("model_fetch"), check=check, **arguments(tmp_path, *sources, **changed))

    return call


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Where it goes."""
    return tmp_path / "models/speech"
