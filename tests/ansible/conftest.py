"""Lets the tests import the project's modules as Ansible does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args
from plugin_runner import RunModule

PROJECT = Path(__file__).parents[2]
# Trees of systems; links in them lead round in circles.
collect_ignore = ["recorded"]
ansible.module_utils.__path__.append(str(PROJECT / "plugins/module_utils"))
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
