"""What the role maie refuses before it touches a host: a lock with server builds, a bundle for another lock."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
PLATFORM = f"{platform.machine()}-cp3{sys.version_info.minor}"
LOCK = "click==8.5.1 \\\n    --hash=sha256:aa\nnvidia-cublas-cu12==12.6.4.1 \\\n    --hash=sha256:bb\n"
UV = "uv==1 --hash=sha256:cc\n"
PLAY = """
- hosts: localhost
  gather_facts: true
  gather_subset: [min]
  tasks:
    - ansible.builtin.set_fact: {__maie_built_wheel: {}}
    - ansible.builtin.include_role: {name: maie, tasks_from: "{{ checks }}"}
"""
SERVER = {"checks": "wheels", "maie_plan": {"residency": "resident", "server": {"context_tokens": 4096}}}
"""The plan of a host with a language model's server of its own."""


@pytest.fixture
def validate(tmp_path: Path) -> Any:
    """Run the role's checks on this machine; return exit status and what was printed."""
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / f"{PLATFORM}.txt").write_text(LOCK)
    (tmp_path / "bootstrap.txt").write_text(UV)

    def run(**variables: Any) -> tuple[int, str]:
        keys = [{"id": "probe", "key": "x" * 32}]
        usual = {"checks": "validate", "maie_lock_dir": str(tmp_path), "maie_api_keys": keys}
        interpreter = {"ansible_python_interpreter": sys.executable}
        command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
        done = subprocess.run(
            [*command, "-e", json.dumps({**usual, **interpreter, **variables})],
            env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    return run


def test_server_builds_are_refused(validate: Any) -> None:
    status, said = validate(maie_refused_packages=["nvidia-.*"])
    assert status != 0
    assert "names nvidia-cublas-cu12, refused on localhost by maie_refused_packages" in said
    assert validate()[0] == 0


def test_a_bundle_for_another_lock_is_refused(validate: Any, tmp_path: Path) -> None:
    status, said = validate(maie_bundle=str(tmp_path))
    assert status != 0
    assert "was made for another platform, another lock or other maie_wheels" in said
    (tmp_path / "wheels").mkdir()
    (tmp_path / f"wheels/{PLATFORM}-{hashlib.sha256(LOCK.encode()).hexdigest()[:12]}.tar").touch()
    status, said = validate(maie_bundle=str(tmp_path))
    assert status != 0
    assert "was made for another platform or another uv" in said
    (tmp_path / f"wheels/uv-{PLATFORM}-{hashlib.sha256(UV.encode()).hexdigest()[:12]}.tar").touch()
    assert validate(maie_bundle=str(tmp_path))[0] == 0


def test_vllm_needs_a_lock_and_another_program_does_not(validate: Any) -> None:
    status, said = validate(**SERVER, maie_llm_wheels={})
    assert status != 0
    assert f"There is no lock for vLLM on {PLATFORM}" in said
    assert "Name another program in maie_llm_server" in said
    assert validate(**SERVER, maie_llm_server="/opt/other/server")[0] == 0
