"""What holds for every playbook and role: they parse, their variables are described, group_vars reach them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PLAYBOOKS = [PROJECT / "site.yml", PROJECT / "rollback.yml", *sorted((PROJECT / "playbooks").glob("*.yml"))]
ROLES = sorted(path for path in (PROJECT / "roles").iterdir() if path.is_dir())
INVENTORY = """
all:
  vars:
    ansible_connection: local
    maie_port: 8443
    maie_data_dir: /srv/maie
  children:
    jetson:
      hosts:
        probe:
    x86: {}
    virtual: {}
    builders: {}
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), **environment},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    path.write_text(INVENTORY)
    return path


def test_playbooks_parse(inventory: Path) -> None:
    done = run("ansible-playbook", "-i", str(inventory), "--syntax-check", *map(str, PLAYBOOKS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_describes_exactly_its_defaults(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    optional = {name for name, option in options.items() if not option.get("required", False)}
    assert optional == set(defaults)
    assert all(name.startswith(f"{role.name}_") for name in options)


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_tells_the_defaults_that_it_has(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    options = {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}
    told = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: defaults[name] for name in told} == told


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_fetches_package_lists_however_young_they_are(role: Path) -> None:
    """On a bare host they are empty, and as young as its image."""
    assert not [path for path in role.glob("tasks/**/*.yml") if "cache_valid_time" in path.read_text()]


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_role_has_a_readme(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")


@pytest.mark.parametrize("start", ["site.yml", "playbooks/deploy.yml"])
def test_group_vars_hold_whichever_playbook_starts(start: str, inventory: Path, tmp_path: Path) -> None:
    """A probe beside each playbook sees the project's value, and the inventory's where both set one."""
    folder = (PROJECT / start).parent
    probe = folder / f".probe-{os.getpid()}.yml"
    out = tmp_path / "seen.json"
    seen = {"socket": "maie_redis_socket", "profile": "maie_profile", "port": "maie_port", "data": "release_data_dir"}
    content = "{{ {" + ", ".join(f"'{name}': {variable}" for name, variable in seen.items()) + "} | to_json }}"
    play = {
        "name": "Write what is seen",
        "hosts": "probe",
        "gather_facts": False,
        "tasks": [{"name": "Write", "ansible.builtin.copy": {"content": content, "dest": str(out)}}],
    }
    probe.write_text(yaml.safe_dump([play]))
    try:
        done = run("ansible-playbook", "-i", str(inventory), str(probe))
    finally:
        probe.unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(out.read_text()) == {
        "socket": "/run/maie-redis/redis.sock",
        "profile": "embedded",
        "port": 8443,
        "data": "/srv/maie",
    }
