"""What preflight says of inventories, users and boards, as plays."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import inventories
import pytest
from host_plays import PROJECT, Told, play
from recorded import FOLDER

SUDO = """\
#!/bin/sh
{reason}
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""
NO_PASSWORD = "echo 'sudo: a password is required' >&2; exit 1"


def role(tasks: str) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": "preflight", "tasks_from": tasks}}


def facts(system: str, **changes: Any) -> dict[str, Any]:
    """The facts of a recorded board, with some values others: ``l4t__release`` is that in ``l4t``."""
    found: dict[str, Any] = json.loads((FOLDER / system / "expected.json").read_text())
    for path, value in changes.items():
        part, _, key = path.partition("__")
        found[part] = {**(found[part] or {}), key: value} if key else value
    return found


BOARD = "orin-nano-super-36.4.4"
FOREIGN = "/etc/nvpmodel.conf is not the file of this module (expected one), but another"
BOARDS: dict[str, tuple[dict[str, Any], bool, str]] = {
    "right": (facts(BOARD), True, ""),
    "6-2-3": (facts(BOARD, l4t__release="36.5.2", l4t__jetpack="6.2.3"), True, ""),
    "newer-patch": (facts(BOARD, l4t__release="36.5.3", l4t__jetpack=None), True, "has L4T 36.5.3, newer than 36.5.2"),
    "known-bad": (
        facts("orin-nano-super-36.4.7"),
        False,
        "has L4T 36.4.7 (JetPack 6.2.1): large CUDA allocations fail",
    ),
    "mixed": (facts("orin-nano-super-mixed"), False, "come from 36.4.4 and 36.4.7, while the system says 36.4.4"),
    "jetpack-5": (
        facts("orin-nano-35.4.1"),
        False,
        "Python 3.8, CUDA 11.4): the service needs Python 3.10 and CUDA 12",
    ),
    "jetpack-7": (facts("orin-nano-super-39.2.1"), False, "no lock of packages for Python 3.12 on aarch64"),
    "thor": (facts("agx-thor-38.4.0"), False, "JetPack 6 is for Orin modules"),
    "xavier": (facts("xavier-nx-35.4.1"), False, "JetPack 6 is for Orin modules"),
    "foreign-modes": (
        facts(BOARD, power__conf_problem=FOREIGN),
        False,
        f"On foreign-modes {FOREIGN}. docs/operations.md",
    ),
    "sample": (facts(BOARD, board__engineering_sample="ES1"), True, "is an engineering sample (ES1)"),
    "scattered": (
        facts("orin-nano-super-36.5.0"),
        True,
        "6738 MiB of memory available, but no free block larger than 1024",
    ),
    "scattered-and-full": (facts("orin-nano-super-36.5.0", memory__available_bytes=2**29), True, ""),
}
"""By name of the host: its facts, whether it passes, what must be said; nothing else is."""


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What the role says of each board."""
    hosts = {name: {"board": board} for name, (board, _, _) in BOARDS.items()}
    known = {"ansible.builtin.set_fact": {"jetson": "{{ board }}", "cacheable": True}}
    return play(tmp_path_factory.mktemp("boards"), [known, role("jetson")], hosts)


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_refused_or_let_through_with_a_sentence(boards: dict[str, Told], name: str) -> None:
    _, passes, said = BOARDS[name]
    assert boards[name].failed is not passes, boards[name].said
    assert said in boards[name].said
    if not said:
        assert "has " not in boards[name].said


def test_a_user_who_needs_a_password_for_root_is_told_how(tmp_path: Path) -> None:
    """With the names and users that inventories have."""
    for name, reason in (("may", ""), ("may-not", NO_PASSWORD)):
        (tmp_path / name).write_text(SUDO.format(reason=reason))
        (tmp_path / name).chmod(0o755)
    # On this machine root calls no sudo to become root.
    hosts = {
        "edge-1": {"ansible_become_user": "nobody", "ansible_become_exe": str(tmp_path / "may-not")},
        "jet1.local": {"ansible_become_user": "nobody", "ansible_become_exe": str(tmp_path / "may")},
        "jetson.example-tailnet.ts.net": {"ansible_user": "root"},
    }
    told = play(tmp_path, [role("root")], hosts)
    assert {name for name, host in told.items() if host.failed} == {"edge-1"}
    assert "The user of edge-1 does not become root" in told["edge-1"].said
    assert "add --ask-become-pass, or let that user call sudo without a password" in told["edge-1"].said


@pytest.mark.parametrize(
    ("files", "unread"),
    [
        (["group_vars/control-plane.yml", "group_vars/all.yml", "host_vars/jet1.local.yml", "host_vars/edge-1"], []),
        (["group_vars/control-plane/one.yml", "group_vars/builders.yml", "host_vars/jet1.local/vault"], []),
        (["group_vars/control_plane.yml"], ["group_vars/control_plane.yml (there is control-plane)"]),
        (["group_vars/Jetson.yaml"], ["group_vars/Jetson.yaml (there is jetson)"]),
        (["group_vars/jetsons/one.yml"], ["group_vars/jetsons"]),
        (["host_vars/jet1.yml"], ["host_vars/jet1.yml (there is jet1.local)"]),
        (["host_vars/edge_1.json"], ["host_vars/edge_1.json (there is edge-1)"]),
        (["group_vars/README.md", "group_vars/.old.yml", "host_vars/edge-2.yml.bak"], []),
    ],
)
@pytest.mark.parametrize("source", ["hosts.yml", ""])
def test_variables_that_nothing_reads_are_found(
    tmp_path: Path, files: list[str], unread: list[str], source: str
) -> None:
    for name in ["hosts.yml", *files]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    groups = {"all": ["jet1.local", "edge-1"], "control-plane": ["edge-1"]}
    sources = [str(tmp_path / source), "one,two", str(tmp_path / "gone")]
    assert inventories.unread_vars(sources, groups, str(PROJECT)) == unread


HOSTS = """
all:
  children:
    {above}:
      children:
        control-plane:
          hosts:
            edge-1: {{ansible_host: jetson.example-tailnet.ts.net, ansible_user: jetson}}
            edge-2: {{ansible_host: 192.0.2.20, ansible_user: root}}
"""


@pytest.mark.parametrize(
    ("above", "file", "variable", "said"),
    [
        (
            "jetson",
            "control_plane",
            "maie_port",
            "Nothing of the inventory reads group_vars/control_plane.yml (there is control-plane)",
        ),
        (
            "jetsons",
            "control-plane",
            "maie_port",
            "No host of the inventory is in the group jetson or x86, so nothing would be done.",
        ),
        (
            "jetson",
            "control-plane",
            "maie_keep_releases",
            "each has another name now: maie_keep_releases is release_keep.",
        ),
    ],
)
def test_an_inventory_that_is_not_read_as_meant_stops_the_site(
    tmp_path: Path, above: str, file: str, variable: str, said: str
) -> None:
    """Before any host is asked for anything: these can't be reached."""
    (tmp_path / "hosts.yml").write_text(HOSTS.format(above=above))
    (tmp_path / "group_vars").mkdir()
    (tmp_path / f"group_vars/{file}.yml").write_text(f"{variable}: 8443\n")
    done = subprocess.run(
        ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), "site.yml", "--limit", "edge-2"],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert said in " ".join(done.stdout.split())
    assert "UNREACHABLE" not in done.stdout
