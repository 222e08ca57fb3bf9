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
from exported_model import catalogue, listed, make_all
from model_hub_server import Hub, serving

PROJECT = Path(__file__).parents[2]
WEIGHTS = bytes(range(256)) * 4096
SOURCE = {"from": "hub", "repository": "somebody/speech", "revision": "main", "files": ["*.json", "model.bin"]}
CATALOGUE = {"speech": {"files": [], "sources": [SOURCE], "figures": {"files_bytes": 1_000_000}}}


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

    def run(playbook: str, *options: str, **values: Any) -> str:
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.json"), playbook, *options]
        command += ["-e", json.dumps({"models_catalogue": CATALOGUE, **values})]
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
    (tmp_path / "sound/speech").rename(tmp_path / "disk")
    (tmp_path / "sound/speech").symlink_to(tmp_path / "disk")
    assert "Copy the model's files" not in play(str(tmp_path / "push.yml"), "--limit", "sound")


def test_an_offline_bundle_takes_fetched_and_exported_models_along(
    hub: Hub, tmp_path: Path, play: Callable[..., str]
) -> None:
    bundle, made = tmp_path / "bundle", tmp_path / "made"
    made.mkdir()
    make_all(made)
    hub.files["tiny.gguf"] = (made / "base/tiny.gguf").read_bytes()
    exported = catalogue(made)["ours"]["files"]
    values: dict[str, Any] = {"bundle_locks": [], "bundle_wheels": {}, "bundle_llm_wheels": {}}
    values |= {"models_hub": hub.url, "models_downloads": str(tmp_path / "models"), "bundle_dir": str(bundle)}
    values |= {"models_fetched": ["speech", "ours"], "models_adapters": str(made / "adapters")}
    values |= {"models_catalogue": CATALOGUE | catalogue(made)}
    told = play("playbooks/bundle.yml", "--check", **values)
    size = sum(file["size"] for file in exported) / 1e6
    assert f"models: 2 files, {1 + size:.1f} MB" in told, told
    assert (hub.requests, bundle.exists()) == ([], False)
    told = play("playbooks/bundle.yml", **values)
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"speech", "ours"}, told
    assert {path.name for path in (bundle / "models").iterdir()} == {"speech", "ours"}
    for model in (bundle / "models").iterdir():
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    assert (bundle / "models/speech/model.bin").read_bytes() == WEIGHTS
    assert [file for file in listed(bundle / "models/ours") if file["name"] != "SHA256SUMS"] == exported
    assert "models/ours/model.bin" in (bundle / "SHA256SUMS").read_text()
