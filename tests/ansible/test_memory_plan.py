"""The playbook that plans the memory: refuses what does not fit with the table, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BOARD_KB = 7620 * 1024
LLM = "Qwen3-4B-Instruct-2507-AWQ-4bit"
LONG = {"llm_model": LLM, "llm_context_tokens": 32768}
HOSTS = {
    "shipped": {"maie_settings": {"llm_model": LLM}},
    "too-long": {"maie_settings": LONG},
    "too-long-but-wanted": {"maie_settings": LONG, "maie_memory_plan_enforced": False},
    "unknown": {"maie_settings": {"llm_model": "unknown-7b"}},
    "no-setting": {"maie_settings": {"llm_model": LLM, "queue_capacity": "many"}},
}
"""Boards of the profile jetson, each with other settings."""


TWICE = """
- hosts: shipped
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: maie, tasks_from: plan, public: true}
    - ansible.builtin.debug: {msg: "[{{ __maie_settings_text.split() | join(' ') }}]"}
    - ansible.builtin.include_role: {name: maie, tasks_from: plan}
    - ansible.builtin.debug: {msg: "[{{ __maie_settings_text.split() | join(' ') }}]"}
"""
"""Plans a host's memory two times, and shows each time what its settings become."""

UNPLANNED = """
- hosts: embedded
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: maie, tasks_from: wheels}
"""
"""Looks for a host's built wheels at once."""


def run(folder: Path, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the boards, whose ``/proc/meminfo`` is an 8 GB board's."""
    board = {"ansible_connection": "local", "maie_profile": "jetson", "maie_asr_model": "EraX-WoW-Turbo-V1.1-CT2"}
    hosts = {name: board | values for name, values in HOSTS.items()}
    hosts["embedded"] = {"ansible_connection": "local"}
    (folder / "hosts.json").write_text(
        json.dumps({"all": {"children": {"jetson": {"hosts": hosts}, "x86": {}, "virtual": {}}}})
    )
    (folder / "meminfo").write_text(f"MemTotal:        {BOARD_KB} kB\nMemFree:          100 kB\n")
    command = ["ansible-playbook", "-i", str(folder / "hosts.json"), playbook]
    return subprocess.run(
        [*command, "-e", f"__maie_meminfo_file={folder / 'meminfo'}", *arguments],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", params=[[], ["--check"]], ids=["run", "check"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the playbook says of each host."""
    done = run(tmp_path_factory.mktemp("plan"), "playbooks/plan.yml", *request.param)
    assert done.returncode != 0
    return told_of(done.stdout, [*HOSTS, "embedded"])


def test_what_the_plan_gave_up_is_set_on_the_host(tmp_path: Path) -> None:
    """And stays so when the plan is made again: it is made of what the operator gives, not of its own choice."""
    (tmp_path / "twice.yml").write_text(TWICE)
    for name, folder in (("group_vars", "group_vars"), ("templates", "roles/maie/templates")):
        (tmp_path / name).symlink_to(PROJECT / folder)
    done = run(tmp_path, str(tmp_path / "twice.yml"))
    assert done.returncode == 0, done.stdout
    once, twice = re.findall(r"\[(MAIE_.*?|# .*?)\]", " ".join(done.stdout.split()))
    assert once == twice
    assert {"MAIE_LLM_CONTEXT_TOKENS=3072", "MAIE_LLM_RESIDENCY=swap"} <= set(once.split())


def told_of(output: str, hosts: list[str]) -> dict[str, str]:
    """Return each host's line of the recap, and its failure where it has one."""
    recap = dict(re.findall(r"^(\S+) +: (ok=.*)$", output, re.MULTILINE))
    failures = dict(
        re.findall(r"^fatal: \[(\S+)\]: (.*?)(?=^\[ERROR\]|^fatal|^NO MORE)", output, re.MULTILINE | re.DOTALL)
    )
    return {host: recap[host] + failures.get(host, "") for host in hosts}


def test_a_context_that_is_too_long_is_refused_with_the_table(told: dict[str, str]) -> None:
    for expected in ("It does not fit", "MAIE_LLM_CONTEXT_TOKENS=", "MiB in each phase", "LLM's KV cache", "7620"):
        assert expected in told["too-long"]


def test_a_model_that_nobody_knows_is_no_guess(told: dict[str, str]) -> None:
    assert "unknown-7b" in told["unknown"]


def test_a_setting_that_the_service_would_not_take_is_refused(told: dict[str, str]) -> None:
    assert "MAIE_QUEUE_CAPACITY: Input should be a valid integer" in " ".join(told["no-setting"].split())


@pytest.mark.parametrize("host", ["shipped", "embedded", "too-long-but-wanted"])
def test_what_fits_or_is_wanted_all_the_same_is_let_through(told: dict[str, str], host: str) -> None:
    assert "failed=0" in told[host]


def test_nothing_was_changed(told: dict[str, str]) -> None:
    assert all("changed=0" in line for line in told.values())


def test_a_host_without_a_plan_is_refused(tmp_path: Path) -> None:
    """Its settings would be other ones, and so its release."""
    (tmp_path / "unplanned.yml").write_text(UNPLANNED)
    done = run(tmp_path, str(tmp_path / "unplanned.yml"))
    assert done.returncode != 0
    assert "changed=0" in told_of(done.stdout, ["embedded"])["embedded"]
    assert "The memory of embedded was not planned" in " ".join(done.stdout.split())


def test_the_built_wheels_are_looked_for_with_a_plan(tmp_path: Path) -> None:
    """The playbook runs alone: on a host whose memory suffices it finds that nothing is missing."""
    alone = run(tmp_path, "playbooks/wheels.yml", "--limit", "embedded")
    assert alone.returncode == 0, alone.stdout
    assert "changed=0" in told_of(alone.stdout, ["embedded"])["embedded"]


def test_the_deploy_begins_with_it(tmp_path: Path) -> None:
    listed = run(tmp_path, "playbooks/deploy.yml", "--list-tasks").stdout
    assert listed.count("Plan the memory\t") == 1
    done = run(tmp_path, "playbooks/deploy.yml")
    assert done.returncode != 0
    told = told_of(done.stdout, [*HOSTS, "embedded"])
    assert "It does not fit" in told["too-long"]
    assert all("changed=0" in line for line in told.values())
