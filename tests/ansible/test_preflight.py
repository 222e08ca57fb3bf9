"""What preflight says of boards, as a play."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_plays import Told, play
from recorded import FOLDER


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
