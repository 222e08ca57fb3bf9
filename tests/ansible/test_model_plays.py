"""Models on their way: from a source over the control node to the boards, and into an offline bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from model_hub_server import Hub, serving

PROJECT = Path(__file__).parents[2]
WEIGHTS = bytes(range(256)) * 4096
SOURCE = {"from": "hub", "repository": "somebody/speech", "revision": "main", "files": ["*.json", "model.bin"]}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub({"config.json": b"{}", "model.bin": WEIGHTS})) as running:
        yield running


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., str]:
    """Run a playbook for two boards on this machine, with the model ``speech`` as the only one of the catalogue."""
    boards = {
        name: {
            "ansible_connection": "local",
            "models_dir": str(tmp_path / name),
            "models_downloads": str(tmp_path / "models" / name),
            "models_wanted": ["speech"],
        }
        for name in ("sound", "spoilt")
    }
    fleet = {"children": {"jetson": {"hosts": boards}, "x86": {}, "virtual": {}}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": fleet}))
    catalogue = {"speech": {"files": [], "sources": [SOURCE], "figures": {"files_bytes": 1_000_000}}}

    def run(playbook: str, *options: str, **values: Any) -> str:
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), playbook, *options]
        command += ["-e", json.dumps({"models_catalogue": catalogue, **values})]
        env = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def test_from_the_hub_over_the_control_node_to_the_board(hub: Hub, tmp_path: Path, play: Callable[..., str]) -> None:
    """Once fetched, once pushed, verified there; what was spoilt on its way to the board is refused."""
    (tmp_path / "push.yml").write_text("[{hosts: jetson, gather_facts: false, roles: [models]}]")
    fetched = tmp_path / "models/sound"
    told = play("playbooks/models.yml", models_hub=hub.url, models_downloads=str(fetched))
    assert "was recorded in" in told
    assert (tmp_path / "models.lock.json").is_file()
    spoilt = shutil.copytree(fetched, tmp_path / "models/spoilt")
    (spoilt / "speech/model.bin").write_bytes(WEIGHTS[:-1] + b"?")
    told = play(str(tmp_path / "push.yml"))
    assert told.count("model.bin: FAILED") == 1
    assert len(list((tmp_path / "sound/speech").glob("*/.complete"))) == 1
    assert not list((tmp_path / "spoilt").rglob(".complete"))


def test_an_offline_bundle_takes_fetched_models_along(hub: Hub, tmp_path: Path, play: Callable[..., str]) -> None:
    bundle = tmp_path / "bundle"
    nothing_else: dict[str, Any] = {"bundle_locks": [], "bundle_wheels": {}, "bundle_llm_wheels": {}}
    where = {"models_hub": hub.url, "models_downloads": str(tmp_path / "models"), "bundle_dir": str(bundle)}
    told = play("playbooks/bundle.yml", "--check", **where, **nothing_else)
    assert "models: 1 files, 1.0 MB" in told, told
    assert (hub.requests, bundle.exists()) == ([], False)
    told = play("playbooks/bundle.yml", **where, **nothing_else)
    model = bundle / "models/speech"
    assert model.is_dir(), told
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    assert (model / "model.bin").read_bytes() == WEIGHTS
    assert "models/speech/model.bin" in (bundle / "SHA256SUMS").read_text()
