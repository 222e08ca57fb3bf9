"""Which API keys are refused, and what a host gets of the others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import api_keys
import pytest
import yaml
from maie.access.keys import KeyRing
from maie.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
KEY = "k" * 24


def entry(identity: str, key: str = KEY) -> dict[str, str]:
    return {"id": identity, "key": key}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "at least one"),
        ([entry("a b")], "id of number 1"),
        ([entry("good"), entry("bad\n")], "id of number 2"),
        ([entry("x" * 65)], "1 to 64"),
        ([entry("a"), entry("a", "q" * 24)], "already used by an earlier one"),
        ([entry("a", "short")], "24 characters"),
    ],
)
def test_a_fault_is_named_and_no_key(keys: list[dict[str, str]], words: str) -> None:
    (fault,) = api_keys.api_key_faults(keys)
    assert words in fault
    assert not any(key["key"] in fault for key in keys)


@pytest.mark.parametrize("identity", ["a", "A-b_c.9", "x" * 64, "x" * 65, "a b", "ä", "a:b", "", "#a"])
def test_an_id_is_good_when_the_service_takes_it(identity: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{identity}:{'0' * 64}\n")
    try:
        KeyRing.read(tmp_path / "keys")
        taken = True
    except ConfigurationError:
        taken = False
    assert (api_keys.api_key_faults([entry(identity)]) == []) == taken


def test_a_host_gets_what_the_service_reads(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(api_keys.api_key_digests([entry("a"), entry("b", "q" * 24)]))
    ring = KeyRing.read(tmp_path / "keys")
    assert [ring.identify(key) for key in (KEY.encode(), b"q" * 24, b"z" * 24)] == ["a", "b", None]


def test_the_role_refuses_them(tmp_path: Path) -> None:
    """For both ways to run the service."""
    tasks = yaml.safe_load((PROJECT / "roles/maie/tasks/check.yml").read_text())
    (check,) = (task for task in tasks if task["name"] == "Check the API keys")
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [check]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    variables = {"maie_api_keys": [entry("not an id")]}
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", tmp_path / "play.yml", "-e", json.dumps(variables)],
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "maie_api_keys can't be used. The id of number 1 must be" in said
    assert KEY not in said
