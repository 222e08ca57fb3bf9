"""The account of Redis, for each version that a supported distribution has."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("printed", "channels"),
    [
        ("Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64", ""),
        ("Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "&* "),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "&* "),
        ("", "&* "),
    ],
)
def test_channels_are_opened_where_the_version_knows_them(tmp_path: Path, printed: str, channels: str) -> None:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"__redis_version": {"stdout": printed}, "redis_password": "secret", "ansible_managed": "by a test"},
        "vars_files": [str(PROJECT / "roles/redis/vars/main.yml")],
        "tasks": [
            {
                "ansible.builtin.template": {
                    "src": str(PROJECT / "roles/redis/templates/redis_users.conf.j2"),
                    "dest": str(tmp_path / "users.conf"),
                    "mode": "0600",
                }
            }
        ],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(playbook)],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
        capture_output=True,
        timeout=60,
        check=True,
    )
    rule = (tmp_path / "users.conf").read_text().splitlines()[-1]
    assert f" ~* {channels}+@all -@dangerous " in rule
