"""The role that releases, and its two backends: who provides what, and when a host is tested again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_plays import PROJECT, Told, play

BACKENDS = ["maie", "maie_docker"]
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if path.is_dir())
README = (PROJECT / "roles/release/README.md").read_text()
PARTS = re.findall(r"^\| `(\w+)` \|", README.split("## Backends")[1], re.MULTILINE)
"""What a backend provides, by the words of the contract."""

RAN = {
    "__release_before": {"proven": ["a1"]},
    "__release_links": {"changed": False},
    "__release_answer": {"status": 200, "json": {"ready": True, "release": "a1"}},
    "maie_restarted": False,
    "maie_release": {"id": "a1"},
}
"""A host that ran the wanted release before the deployment."""
HOSTS: dict[str, dict[str, Any]] = {
    "the-same": {},
    "linked-anew": {"__release_links": {"changed": True}},
    "restarted": {"maie_restarted": True},
    "never-proven": {"__release_before": {"proven": ["b2"]}},
    "another-answers": {"__release_answer": {"status": 200, "json": {"ready": True, "release": "b2"}}},
    "not-ready": {"__release_answer": {"status": 503, "json": {"ready": False, "release": "a1"}}},
    "no-answer": {"__release_answer": {"status": -1}},
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_provides_what_the_contract_names(backend: str) -> None:
    called = set()
    for path in (PROJECT / "roles/release/tasks").glob("*.yml"):
        called |= set(re.findall(r'name: "{{ release_backend }}"\n +tasks_from: (\w+)', path.read_text()))
    assert called == set(PARTS)
    assert not [part for part in PARTS if not (PROJECT / f"roles/{backend}/tasks/{part}.yml").is_file()]


@pytest.mark.parametrize("role", ROLES)
def test_no_task_file_is_left_out(role: str) -> None:
    """Checks that nobody calls check nothing."""
    own = "".join(path.read_text() for path in (PROJECT / "roles" / role / "tasks").glob("*.yml"))
    texts = [path.read_text() for folder in ("roles", "playbooks") for path in (PROJECT / folder).rglob("*.yml")]
    called = set(re.findall(r"(?:_tasks: |\btasks: )(\w+)", own))
    name = "{{ release_backend }}" if role in BACKENDS else role
    by_name = re.compile(rf'name: "?(?:{role}|{re.escape(name)})"?(?:, |\n +)tasks_from: (\w+)')
    called |= {file for text in texts for file in by_name.findall(text)}
    files = {path.stem for path in (PROJECT / "roles" / role / "tasks").glob("*.yml")}
    assert files - called - {"main"} == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_nobody_else_s_internal_variables(role: str) -> None:
    texts = [path.read_text() for path in (PROJECT / "roles" / role).rglob("*") if path.suffix in (".yml", ".j2")]
    texts += [path.read_text() for path in (PROJECT / "plugins/filter").glob(f"{role}*.py")]
    internal = {name for text in texts for name in re.findall(r"\b__([a-z]\w*)", text)}
    others = {name for name in internal for other in ROLES if name.startswith(f"{other}_") and other != role}
    assert {name for name in others if not name.startswith(f"{role}_")} == set()


@pytest.mark.parametrize("role", ROLES)
def test_what_root_unpacks_belongs_to_root(role: str) -> None:
    """Not to an account of the host that has the number of whoever made the archive."""
    files = (PROJECT / "roles" / role / "tasks").glob("*.yml")
    tasks = [task for path in files for task in yaml.safe_load(path.read_text())]
    unpacked = [task["ansible.builtin.unarchive"] for task in tasks if "ansible.builtin.unarchive" in task]
    assert {(each.get("owner"), each.get("group")) for each in unpacked} <= {("root", "root")}


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What the role says of each host, with a smoke test and a backend that only say that they were called."""
    folder = tmp_path_factory.mktemp("prove")
    for role, file in (("smoke", "main"), ("maie", "inspect")):
        (folder / f"roles/{role}/tasks").mkdir(parents=True)
        said = [{"ansible.builtin.debug": {"msg": f"{role} was called"}}]
        (folder / f"roles/{role}/tasks/{file}.yml").write_text(yaml.safe_dump(said))
    tasks = [{"ansible.builtin.include_role": {"name": "release", "tasks_from": "prove"}}]
    hosts = {name: {**RAN, **changed} for name, changed in HOSTS.items()}
    return play(folder, tasks, hosts, ANSIBLE_ROLES_PATH=f"{folder / 'roles'}:{PROJECT / 'roles'}")


@pytest.mark.parametrize("host", HOSTS)
def test_only_a_host_that_ran_the_release_and_was_ready_is_not_tested_again(proved: dict[str, Told], host: str) -> None:
    assert not proved[host].failed, proved[host].said
    assert ("smoke was called" in proved[host].said) is (host != "the-same")
    assert "maie was called" in proved[host].said


RUNNING = {"active": True, "stale_credentials": [], "stale_environments": []}
"""A unit that runs from what the host has."""
UNITS: dict[str, dict[str, Any]] = {
    "the-same": {},
    "stopped": {"active": False},
    "another-secret": {"stale_credentials": ["api_keys"]},
    "another-environment": {"stale_environments": ["0" * 12]},
}


def test_a_unit_is_restarted_whichever_run_replaced_what_it_runs_from(tmp_path: Path) -> None:
    read, decide, *_ = yaml.safe_load((PROJECT / "roles/maie/tasks/restart.yml").read_text())
    assert read["unit_health"]["release_root"] == "{{ release_root }}"
    shown = {"ansible.builtin.debug": {"msg": "restarted: {{ maie_restarted }}"}}
    usual = {"release_outdated": False, "__maie_linked": {"changed": False}}
    hosts = {name: {**usual, "__maie_units": {"units": [RUNNING, {**RUNNING, **unit}]}} for name, unit in UNITS.items()}
    told = play(tmp_path, [decide, shown], hosts)
    assert {name for name, host in told.items() if "restarted: True" in host.said} == {*UNITS} - {"the-same"}
    assert "restarted: False" in told["the-same"].said


def test_a_failure_is_told_with_what_the_program_said(tmp_path: Path) -> None:
    record, *_ = yaml.safe_load((PROJECT / "roles/release/tasks/go_back.yml").read_text())
    failing = {
        "name": "Restart the units",
        "ansible.builtin.command": "sh -c 'echo Job for a.service failed >&2; exit 1'",
    }
    shown = {"ansible.builtin.debug": {"msg": "{{ release_failure }}"}}
    told = play(tmp_path, [{"block": [failing], "rescue": [record, shown]}], {"host": {}})
    assert (
        'the deploy failed at "Restart the units": non-zero return code Job for a.service failed' in told["host"].said
    )
