"""Models fetched from a hub: resumed, held to sizes and sums, recorded where no sum was published and then enforced."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import model_fetch
import pytest
from ansible.module_utils import model_folder, model_hub
from model_hub_server import COMMIT, PAGE, Hub, serving
from plugin_runner import RunModule

PROJECT = Path(__file__).parents[2]
CONFIG = b'{"lang_ids": []}'
WEIGHTS = bytes(range(256)) * 4096
FILES = {"config.json": CONFIG, "model.bin": WEIGHTS, "README.md": b"# Not wanted", "notes/x.json": b"{}"}

Fetch = Callable[..., dict[str, Any]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub(FILES)) as running:
        yield running


@pytest.fixture
def fetch(hub: Hub, run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    monkeypatch.setattr(model_fetch, "PAUSE_SECONDS", 0)

    def call(**changed: Any) -> dict[str, Any]:
        wanted = {
            "name": "speech",
            "files": [],
            "sources": [of_hub()],
            "hub": hub.url,
            "folder": str(tmp_path / "models"),
            "lock": str(tmp_path / "models.lock.json"),
            "attempts": 3,
        }
        return run_module(model_fetch, **{**wanted, **changed})

    return call


def of_hub(revision: str = "main") -> dict[str, Any]:
    return {"from": "hub", "repository": "somebody/speech", "revision": revision, "files": ["*.json", "model.bin"]}


def published(sums: Iterable[str] = FILES) -> list[dict[str, Any]]:
    """Return the files as a catalogue has them: by SHA-256 where it is in ``sums``, else by Git id."""
    files = []
    for name in ("config.json", "model.bin"):
        size, content = len(FILES[name]), FILES[name]
        kind, digest = "git_id", hashlib.sha1(b"blob %d\0" % size + content).hexdigest()
        if name in sums:
            kind, digest = "sha256", hashlib.sha256(content).hexdigest()
        files.append({"name": name, "size": size, kind: digest})
    return files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "models/speech"


def of_files(hub: Hub) -> list[tuple[str, str | None]]:
    return [(path.rsplit("/", 1)[1], asked) for path, asked in hub.requests if "/resolve/" in path]


def test_the_first_download_is_whole_and_recorded(fetch: Fetch, model: Path, tmp_path: Path) -> None:
    done = fetch()
    assert (done["changed"], done["recorded"], done["commit"]) == (True, True, COMMIT)
    assert sorted(path.name for path in model.iterdir()) == ["SHA256SUMS", "config.json", "model.bin"]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    record = json.loads((tmp_path / "models.lock.json").read_text())["speech"]
    assert record["commit"] == COMMIT
    assert record["files"]["config.json"] == {"size": len(CONFIG), "sha256": hashlib.sha256(CONFIG).hexdigest()}


def test_a_second_run_asks_nothing(fetch: Fetch, hub: Hub) -> None:
    fetch()
    hub.requests.clear()
    again = fetch()
    assert (again["changed"], again["recorded"], hub.requests) == (False, False, [])


def test_check_mode_fetches_nothing(fetch: Fetch, hub: Hub, model: Path) -> None:
    assert fetch(check=True)["changed"]
    assert (hub.requests, model.exists()) == ([], False)


def test_a_download_that_breaks_goes_on_where_it_was(fetch: Fetch, hub: Hub, model: Path) -> None:
    hub.cut_after = [300_000, 200_000]
    fetch()
    assert of_files(hub)[1:] == [("model.bin", None), ("model.bin", "bytes=300000-"), ("model.bin", "bytes=500000-")]
    assert (model / "model.bin").read_bytes() == WEIGHTS


def test_the_next_run_goes_on_too(fetch: Fetch, hub: Hub, model: Path) -> None:
    hub.cut_after = [300_000, 200_000]
    assert "500000 of 1048576 bytes" in fetch(attempts=2)["msg"]
    assert not model.exists()
    hub.requests.clear()
    fetch()
    assert ("model.bin", "bytes=500000-") in of_files(hub)
    assert (model / "model.bin").read_bytes() == WEIGHTS


def test_files_that_are_whole_already_are_not_fetched_again(fetch: Fetch, hub: Hub, model: Path) -> None:
    fetch()
    (model / "SHA256SUMS").unlink()
    (model / "config.json").write_bytes(CONFIG[::-1])
    hub.requests.clear()
    assert fetch()["changed"]
    assert of_files(hub) == [("config.json", None)]


def test_a_server_without_ranges_is_read_from_the_start(fetch: Fetch, hub: Hub, model: Path) -> None:
    hub.cut_after, hub.resumes = [300_000], False
    fetch()
    assert (model / "model.bin").read_bytes() == WEIGHTS


def test_a_flipped_bit_is_refused_and_nothing_recorded(fetch: Fetch, hub: Hub, model: Path, tmp_path: Path) -> None:
    hub.files["model.bin"] = WEIGHTS[:1000] + bytes([WEIGHTS[1000] ^ 1]) + WEIGHTS[1001:]
    assert "SHA-256" in fetch()["msg"]
    assert not model.exists()
    assert not (tmp_path / "models.lock.json").exists()
    hub.files["model.bin"] = WEIGHTS
    fetch()


@pytest.mark.parametrize("padding", [0, len(WEIGHTS) - len(PAGE), len(WEIGHTS)], ids=["short", "same size", "long"])
@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_a_web_page_is_refused(fetch: Fetch, hub: Hub, name: str, padding: int) -> None:
    hub.files[name] = PAGE + b" " * padding
    assert "web page" in fetch()["msg"]


def test_a_page_instead_of_the_list_is_told(fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "listing", lambda: PAGE)
    assert "list of files" in fetch()["msg"]


@pytest.mark.parametrize(
    "answer", [b"[" * 100_000, b'{"sha": "x", "siblings": [{"rfilename": "a.json", "size": 1e999}]}']
)
def test_a_list_of_an_odd_form_is_told_too(
    fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(hub, "listing", lambda: answer)
    assert "list of files" in fetch()["msg"]


def test_a_list_that_does_not_end_is_refused(fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_hub, "LIST_BYTES", 20)
    assert "answered with more than 20 bytes" in fetch()["msg"]


def test_a_list_that_comes_too_slowly_is_refused(fetch: Fetch, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_hub, "LIST_SECONDS", 0.5)
    hub.trickles = True
    began = time.monotonic()
    assert "it took longer than" in fetch()["msg"]
    assert time.monotonic() - began < 5


def test_what_was_recorded_is_enforced(fetch: Fetch, hub: Hub, model: Path) -> None:
    """Another fleet member's control node, or a folder that was removed: the hub may not give something else."""
    fetch()
    for path in model.iterdir():
        path.unlink()
    hub.files["config.json"] = hub.listed["config.json"] = b'{"lang_ids": [1]}'[: len(CONFIG)]
    assert "SHA-256" in fetch()["msg"]
    assert not (model / "SHA256SUMS").exists()


def test_another_revision_needs_a_new_record(fetch: Fetch) -> None:
    fetch()
    assert "Remove the record" in fetch(sources=[of_hub("v2")])["msg"]


def test_a_repository_without_weights_is_refused(fetch: Fetch, hub: Hub) -> None:
    del hub.listed["model.bin"]
    assert "no weights" in fetch()["msg"]


def test_published_sums_need_neither_list_nor_record(fetch: Fetch, hub: Hub, model: Path, tmp_path: Path) -> None:
    done = fetch(files=published(), sources=[of_hub(COMMIT)])
    assert (done["changed"], done["recorded"]) == (True, False)
    assert [path for path, _ in hub.requests if not path.startswith(f"/somebody/speech/resolve/{COMMIT}/")] == []
    assert (model / "model.bin").read_bytes() == WEIGHTS
    assert not (tmp_path / "models.lock.json").exists()
    assert not fetch(files=published(), sources=[of_hub(COMMIT)])["changed"]


def test_a_git_id_counts_at_the_first_download_and_its_sha256_from_then_on(
    fetch: Fetch, hub: Hub, model: Path, tmp_path: Path
) -> None:
    wanted = {"files": published(["model.bin"]), "sources": [of_hub(COMMIT)]}
    hub.files["config.json"] = CONFIG[::-1]
    assert "of the Git id" in fetch(**wanted)["msg"]
    assert not model.exists()
    hub.files["config.json"] = CONFIG
    assert fetch(**wanted)["recorded"]
    record = json.loads((tmp_path / "models.lock.json").read_text())["speech"]
    assert record["files"]["config.json"]["sha256"] == hashlib.sha256(CONFIG).hexdigest()
    assert not fetch(**wanted)["changed"]
    shutil.rmtree(model)
    record["files"]["config.json"]["sha256"] = "0" * 64
    (tmp_path / "models.lock.json").write_text(json.dumps({"speech": record}))
    assert f"instead of {'0' * 64}" in fetch(**wanted)["msg"]


def test_a_file_of_the_catalogue_stays_in_its_folder(fetch: Fetch) -> None:
    files = [{**published()[0], "name": "../../evil.json"}]
    assert "not a file in the model's own folder" in fetch(files=files)["msg"]


def test_the_folder_has_nothing_but_the_model(fetch: Fetch, model: Path) -> None:
    model.mkdir(parents=True)
    (model / "left.over").touch()
    fetch()
    assert sorted(path.name for path in model.iterdir()) == ["SHA256SUMS", "config.json", "model.bin"]
    assert [path.name for path in model.parent.iterdir()] == ["speech"]


def test_a_folder_that_is_not_what_it_must_be_is_no_model(fetch: Fetch, hub: Hub, model: Path) -> None:
    """While another is not there yet, none is deployed."""
    fetch()
    (model / "model.bin").write_bytes(b"")
    hub.files.clear()
    assert "404" in fetch()["msg"]
    assert (model.is_dir(), (model / "SHA256SUMS").exists()) == (True, False)


def test_a_folder_on_another_disk_stays_there(fetch: Fetch, model: Path, tmp_path: Path) -> None:
    model.parent.mkdir()
    (tmp_path / "disk/speech").mkdir(parents=True)
    model.symlink_to(tmp_path / "disk/speech")
    fetch()
    assert model.is_symlink()
    assert (tmp_path / "disk/speech/model.bin").read_bytes() == WEIGHTS


def test_two_runs_do_not_write_one_file(fetch: Fetch, hub: Hub, model: Path) -> None:
    with model_folder.workspace(model):
        assert "Another run" in fetch()["msg"]
        assert (hub.requests, (model.parent / ".speech.part").is_dir()) == ([], True)
    assert fetch()["changed"]


def test_no_file_leaves_its_folder(hub: Hub) -> None:
    hub.listed["../../evil.json"] = b"{}"
    record = model_hub.ask(hub.url, "somebody/speech", "main", ["*"])
    assert "../../evil.json" not in record.files
    assert "notes/x.json" not in record.files
