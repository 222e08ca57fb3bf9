"""When a host gets another certificate, and which given ones are refused."""

from __future__ import annotations

import re
from pathlib import Path

import certificates
import pytest
from host_plays import Told, play

NAMES = ["DNS:ours", "DNS:localhost", "IP:127.0.0.1", "IP:10.0.0.7"]
MAKE = [
    {"ansible.builtin.include_role": {"name": "certificate", "tasks_from": part}} for part in ("authority", "issue")
]
SHOW = {
    "ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.file', made) | hash('sha256') }}"},
    "vars": {"made": "{{ certificate_ca_dir }}/hosts/{{ inventory_hostname }}.pem"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Told]]:
    """Two fleets' authorities and certificates, made twice."""
    folder = tmp_path_factory.mktemp("made")
    folders = {"ours": folder / "a", "theirs": folder / "b"}
    hosts = {
        name: {"certificate_address": "10.0.0.7", "certificate_ca_dir": str(path)} for name, path in folders.items()
    }
    return folder, play(folder, [*MAKE, SHOW, *MAKE, SHOW], hosts)


def holds(folder: Path, authority: str = "a", names: list[str] = NAMES, days: int = 30) -> bool:
    return certificates.certificate_holds(str(folder / "a/hosts/ours"), f"{folder / authority}/ca.pem", names, days)


def test_a_certificate_holds_until_something_of_it_is_another(made: tuple[Path, dict[str, Told]]) -> None:
    folder, told = made
    assert not told["ours"].failed, told["ours"].said
    assert holds(folder)
    assert not holds(folder, authority="b")
    assert not holds(folder, names=[*NAMES[:3], "IP:10.0.0.8"])
    assert not holds(folder, days=398)
    assert not certificates.certificate_holds(str(folder / "none"), f"{folder}/a/ca.pem", NAMES, 30)


def test_one_that_holds_is_not_issued_again(made: tuple[Path, dict[str, Told]]) -> None:
    first, second = re.findall(r"\b[0-9a-f]{64}\b", made[1]["ours"].said)
    assert first == second


@pytest.mark.parametrize(
    ("key", "fault"), [("a/hosts/ours.key", ""), ("a/ca.key", "another certificate's"), ("none", "No such file")]
)
def test_a_given_certificate_needs_its_own_key(made: tuple[Path, dict[str, Told]], key: str, fault: str) -> None:
    told = certificates.certificate_fault(f"{made[0]}/a/hosts/ours.pem", f"{made[0]}/{key}")
    assert (fault in told) if fault else not told
