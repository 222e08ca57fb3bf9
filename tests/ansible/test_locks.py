"""The locks of JetPack 6.2: the pairs that matter are pinned together, and nothing in them is for servers."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import locks
import pytest
import yaml

PROJECT = Path(__file__).parents[2]
JETPACK = sorted((PROJECT / "requirements").glob("aarch64-*.txt"))
TORCH = "62a1beee9f2f147076a974d2942c90060c12771c94740830327cae705b2595fc"
"""NVIDIA's build of 2.8.0."""


def versions(lock: str) -> dict[str, str]:
    text = (PROJECT / f"requirements/{lock}.txt").read_text()
    pinned = re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE)
    by_url = re.findall(r"^(\S+) @ \S+/[a-z]+-([0-9.]+)-", text, re.MULTILINE)
    return dict([*pinned, *by_url])


@pytest.mark.parametrize("lock", JETPACK, ids=lambda path: path.stem)
def test_nothing_for_servers(lock: Path) -> None:
    refused = yaml.safe_load((PROJECT / "group_vars/jetson.yml").read_text())["maie_refused_packages"]
    assert locks.lock_refused(lock.read_text(), refused) == []


@pytest.mark.parametrize("lock", JETPACK, ids=lambda path: path.stem)
def test_every_file_by_its_hash(lock: Path) -> None:
    entries = list(locks.ENTRY.finditer(lock.read_text()))
    assert len(entries) > 30
    assert all("--hash=sha256:" in entry[0] for entry in entries)
    assert "".join(entry[0] for entry in entries) == lock.read_text()


def test_pairs_of_vllm() -> None:
    pinned = versions("aarch64-cp310-vllm")
    wanted = {"torch": "2.8.0", "torchaudio": "2.8.0", "torchvision": "0.23.0", "triton": "3.4.0", "numpy": "1.26.4"}
    wanted |= {"xgrammar": "0.1.25", "compressed-tensors": "0.11.0", "numba": "0.61.2"}
    assert {name: pinned[name] for name in wanted} == wanted
    assert "vllm" not in pinned


def test_pairs_of_diarization() -> None:
    pinned = versions("aarch64-cp310-diarization")
    wanted = {"torch": "2.8.0", "torchaudio": "2.8.0", "numpy": "1.26.4", "pyannote-audio": "3.4.0"}
    assert {name: pinned[name] for name in wanted} == wanted
    assert "torchcodec" not in pinned


def test_the_service_has_no_torch_and_its_own_numpy() -> None:
    pinned = versions("aarch64-cp310")
    assert "torch" not in pinned
    assert pinned["numpy"].startswith("2.")


def test_vllm_is_compiled_against_the_torch_that_it_runs_with() -> None:
    assert TORCH in yaml.safe_load((PROJECT / "roles/vllm/defaults/main.yml").read_text())["vllm_torch"]
    for lock in ("vllm", "diarization"):
        assert TORCH in (PROJECT / f"requirements/aarch64-cp310-{lock}.txt").read_text()


def test_archives_are_named_by_their_locks() -> None:
    digest = hashlib.sha256(b"uv==1.0\n").hexdigest()[:12]
    assert locks.lock_archive("uv==1.0\n", "uv-aarch64-cp310") == f"uv-aarch64-cp310-{digest}.tar"
