"""A key that the inventory no longer has leaves the host when no kept release's unit needs it to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_units import render

PROJECT = Path(__file__).parents[2]
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks: [{ansible.builtin.include_role: {name: maie, tasks_from: prune}}]
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with both keys, and two releases of which the older one's worker names one of them."""
    for release, key in (("0a0a0a0a0a0a", "k" * 24), ("1b1b1b1b1b1b", "")):
        folder = tmp_path / "releases" / release / "systemd"
        folder.mkdir(parents=True)
        (folder / "maie-worker.service").write_text(render("maie-worker.service", gpu=False, maie_llm_key=key))
    for name in ("api_keys", "asr_key", "llm_key"):
        (tmp_path / name).write_text("secret")
    return tmp_path


def forget(host: Path) -> set[str]:
    """Run the role's tasks; return the secrets that are left."""
    (host / "play.yml").write_text(PLAY)
    variables = {"release_root": str(host), "maie_credentials_dir": str(host)}
    variables["ansible_python_interpreter"] = sys.executable
    subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", host / "play.yml", "-e", json.dumps(variables)],
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        timeout=60,
        check=True,
    )
    return {path.name for path in host.glob("*_key*")}


def test_a_key_goes_with_the_last_release_that_names_it(host: Path) -> None:
    assert forget(host) == {"api_keys", "llm_key"}
    (host / "releases/0a0a0a0a0a0a/systemd/maie-worker.service").unlink()
    assert forget(host) == {"api_keys"}
