"""The account of Redis, for each version that a supported distribution has."""

from __future__ import annotations

import pytest
from host_plays import PROJECT, Told, play

VERSIONS = {
    "6.0": ("Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64", ""),
    "6.2": ("Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "&* "),
    "7.0": ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "&* "),
    "unknown": ("", "&* "),
}
"""By version: what it prints, and how the rule opens channels."""


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """The users file for each version."""
    template = PROJECT / "roles/redis/templates/redis_users.conf.j2"
    tasks = [
        {"ansible.builtin.include_vars": str(PROJECT / "roles/redis/vars/main.yml")},
        {"ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.template', '{template}') }}}}"}},
    ]
    usual = {"redis_password": "secret", "ansible_managed": "by a test"}
    hosts = {version: {**usual, "__redis_version": {"stdout": printed}} for version, (printed, _) in VERSIONS.items()}
    return play(tmp_path_factory.mktemp("users"), tasks, hosts)


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_are_opened_where_the_version_knows_them(users: dict[str, Told], version: str) -> None:
    assert f" ~* {VERSIONS[version][1]}+@all -@dangerous " in users[version].said
