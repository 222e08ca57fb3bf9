"""The wheelhouse: names that cover everything; artefacts that are whole, and sources that are exact, or refused."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wheel_recipes
import wheel_source
import wheel_store
from plugin_runner import RunModule

FINGERPRINT = "ab" * 32
RECIPE: dict[str, Any] = {
    "name": "probe",
    "source": {"git": "https://example.org/probe.git", "commit": "1" * 40},
    "patches": [],
    "proof": {"files": {}},
    "install": {},
    "options": {"WITH_CUDA": "ON"},
    "steps": [{"name": "compile", "run": "make"}],
}
MANIFEST = {"name": "probe", "install": {"packages": ["libgomp1"]}}
BUILDER = {"architecture": "aarch64", "l4t": "36.4.3", "cuda": "12.6.68", "python": "cpython-310", "torch": "2.8.0"}


@pytest.mark.parametrize(
    ("recipe", "builder"),
    [
        ({"options": {"WITH_CUDA": "OFF"}}, {}),
        ({"source": {"git": "https://example.org/probe.git", "commit": "2" * 40}}, {}),
        ({"patches": [__file__]}, {}),
        ({"proof": {"files": {"probe.py": __file__}}}, {}),
        ({"install": {"script": __file__}}, {}),
        ({"steps": [{"name": "compile", "run": "make -s"}]}, {}),
        ({}, {"architecture": "x86_64"}),
        ({}, {"l4t": "36.5.0"}),
        ({}, {"cuda": "12.6.85"}),
        ({}, {"python": "cpython-311"}),
        ({}, {"torch": None}),
    ],
)
def test_each_input_gives_another_fingerprint(recipe: dict[str, Any], builder: dict[str, Any]) -> None:
    usual = wheel_recipes.wheel_fingerprint(RECIPE, BUILDER)
    assert wheel_recipes.wheel_fingerprint({**RECIPE, **recipe}, {**BUILDER, **builder}) != usual
    assert wheel_recipes.wheel_fingerprint(dict(reversed(RECIPE.items())), BUILDER) == usual
    assert len(usual) == 64


def test_files_count_by_their_content(tmp_path: Path) -> None:
    def at(folder: str, content: str) -> str:
        (tmp_path / folder / "model").mkdir(parents=True)
        (tmp_path / folder / "model/weights").write_text(content)
        files = {"model": str(tmp_path / folder / "model")}
        return wheel_recipes.wheel_fingerprint({**RECIPE, "proof": {"files": files}}, BUILDER)

    assert at("here", "1") == at("there", "1")
    assert at("elsewhere", "2") != wheel_recipes.wheel_fingerprint(RECIPE, BUILDER) != at("nowhere", "1")


def test_sources_know_their_place_and_what_they_are_kept_under() -> None:
    more = {"cutlass": {"git": "https://example.org/cutlass.git", "commit": "3" * 40}}
    own = {"archive": "https://example.org/probe.tar", "sha256": "4" * 64}
    recipe = {**RECIPE, "source": own, "patches": ["/x/fix.patch"], "more_sources": more}
    assert wheel_recipes.wheel_sources(recipe, "/build") == [
        {**own, "folder": "source", "patches": ["/build/patches/fix.patch"], "id": "4" * 64},
        {**more["cutlass"], "folder": "deps/cutlass", "patches": [], "id": "3" * 40},
    ]


@pytest.mark.parametrize(
    ("cores", "available", "swap", "each", "jobs"),
    [
        (6, 7000, 0, 1024, 6),
        (6, 3000, 0, 1024, 2),
        (6, 900, 0, 1024, 0),
        (6, 900, 4096, 1024, 4),
        (12, 64000, 0, 1, 12),
    ],
)
def test_jobs_fit_into_memory(cores: int, available: int, swap: int, each: int, jobs: int) -> None:
    machine = {"cores": cores, "available_mb": available}
    assert wheel_recipes.wheel_jobs(machine, each, swap) == jobs


@pytest.fixture
def store(tmp_path: Path, run_module: RunModule) -> Any:
    """Run wheel_store on a wheelhouse of its own."""

    def run(state: str = "read", **arguments: Any) -> dict[str, Any]:
        fixed = {"wheelhouse": str(tmp_path / "house"), "name": "probe", "fingerprint": FINGERPRINT}
        return run_module(wheel_store, **fixed, state=state, **arguments)

    return run


def publish(store: Any, content: bytes = b"wheel") -> Path:
    incoming = Path(store("incoming")["incoming"])
    (incoming / "probe-1-py3-none-any.whl").write_bytes(content)
    (incoming / "build.log").write_text("done\n")
    done = store("published", manifest=MANIFEST, wheel_sha256=hashlib.sha256(content).hexdigest())
    assert done["changed"]
    assert done["found"]
    return Path(done["folder"])


def test_published_once_and_found(store: Any) -> None:
    assert store()["found"] is False
    folder = publish(store)
    assert {path.name for path in folder.iterdir()} == {
        "SHA256SUMS",
        "build.log",
        "manifest.json",
        "probe-1-py3-none-any.whl",
    }
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    found = store()
    assert (found["found"], found["changed"]) == (True, False)
    assert found["wheel"]["sha256"] == hashlib.sha256(b"wheel").hexdigest()
    assert store("incoming")["changed"] is False


def test_one_flipped_bit_is_refused(store: Any) -> None:
    wheel = publish(store) / "probe-1-py3-none-any.whl"
    wheel.write_bytes(bytes([wheel.read_bytes()[0] ^ 1]) + wheel.read_bytes()[1:])
    refused = store()
    assert refused["failed"]
    assert "its SHA-256 has changed" in refused["msg"]


@pytest.mark.parametrize("missing", ["SHA256SUMS", "manifest.json", "probe-1-py3-none-any.whl"])
def test_what_is_not_whole_is_refused(store: Any, missing: str) -> None:
    (publish(store) / missing).unlink()
    assert f"{missing} is missing" in store()["msg"]


def test_a_wheel_damaged_on_its_way_is_not_published(store: Any) -> None:
    incoming = Path(store("incoming")["incoming"])
    (incoming / "probe-1-py3-none-any.whl").write_bytes(b"whee")
    refused = store("published", wheel_sha256=hashlib.sha256(b"wheel").hexdigest())
    assert "damaged in transit" in refused["msg"]
    assert store()["found"] is False


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a submodule."""
    for number, value in enumerate([("protocol.file.allow", "always"), ("uploadpack.allowAnySHA1InWant", "true")]):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", value[0])
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value[1])
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    part, whole = tmp_path / "part", tmp_path / "whole"
    for folder in (part, whole):
        folder.mkdir()
        git(folder, "init", "--quiet")
        (folder / "file").write_text(folder.name)
    git(part, "add", ".")
    git(part, "commit", "--quiet", "--message", "part")
    git(whole, "submodule", "--quiet", "add", f"file://{part}", "third_party/part")
    git(whole, "add", ".")
    git(whole, "commit", "--quiet", "--message", "whole")
    git(whole, "tag", "--annotate", "--message", "first", "v1")
    return whole


def fetch(run_module: RunModule, tmp_path: Path, **arguments: Any) -> dict[str, Any]:
    return run_module(wheel_source, dest=str(tmp_path / "source"), downloads=str(tmp_path / "downloads"), **arguments)


def test_commit_with_its_submodules(repository: Path, tmp_path: Path, run_module: RunModule) -> None:
    wanted = {"git": f"file://{repository}", "commit": git(repository, "rev-parse", "HEAD"), "tag": "v1"}
    assert fetch(run_module, tmp_path, **wanted)["changed"]
    assert (tmp_path / "source/third_party/part/file").read_text() == "part"
    (tmp_path / "source/compiled.o").touch()
    assert not fetch(run_module, tmp_path, **wanted)["changed"]
    assert (tmp_path / "source/compiled.o").exists()


def test_what_was_fetched_is_kept_and_verified(repository: Path, tmp_path: Path, run_module: RunModule) -> None:
    wanted = {"git": f"file://{repository}", "commit": git(repository, "rev-parse", "HEAD")}
    kept = fetch(run_module, tmp_path, **wanted)["kept"]
    shutil.rmtree(tmp_path / "source")
    repository.rename(tmp_path / "away")
    assert fetch(run_module, tmp_path, **wanted)["kept"] == kept
    assert (tmp_path / "source/third_party/part/file").read_text() == "part"
    (tmp_path / "source/file").write_text("other")
    shutil.make_archive(kept.removesuffix(".tar"), "tar", tmp_path / "source")
    shutil.rmtree(tmp_path / "source")
    assert "is not that commit" in fetch(run_module, tmp_path, **wanted)["msg"]
    assert not (tmp_path / "source").exists()


def test_moved_tag_is_refused(repository: Path, tmp_path: Path, run_module: RunModule) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(repository, "tag", "--force", "v1")
    refused = fetch(run_module, tmp_path, git=f"file://{repository}", commit=first, tag="v1")
    assert "it was moved" in refused["msg"]
    assert not (tmp_path / "source").exists()


def test_unknown_commit_is_refused(repository: Path, tmp_path: Path, run_module: RunModule) -> None:
    refused = fetch(run_module, tmp_path, git=f"file://{repository}", commit="0" * 40)
    assert "has no commit" in refused["msg"]
    assert not (tmp_path / "source").exists()
    assert "40 hexadecimal" in fetch(run_module, tmp_path, git="file:///x", commit="v1")["msg"]


def test_patches_fit_or_are_refused(repository: Path, tmp_path: Path, run_module: RunModule) -> None:
    wanted = {"git": f"file://{repository}", "commit": git(repository, "rev-parse", "HEAD")}
    patch = tmp_path / "fix.patch"
    patch.write_text("--- a/file\n+++ b/file\n@@ -1 +1 @@\n-whole\n\\ No newline at end of file\n+mended\n")
    assert fetch(run_module, tmp_path, **wanted, patches=[str(patch)])["changed"]
    assert (tmp_path / "source/file").read_text() == "mended\n"
    patch.write_text(patch.read_text().replace("-whole", "-other"))
    refused = fetch(run_module, tmp_path, **wanted, patches=[str(patch)])
    assert "fix.patch does not apply" in refused["msg"]
    assert not (tmp_path / "source").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An HTTP server of the folder ``web`` that cuts ``cut.tar.gz`` off in its middle."""
    (tmp_path / "web/project-1").mkdir(parents=True)
    (tmp_path / "web/project-1/setup.py").write_text("setup()\n")
    subprocess.run(["tar", "czf", "good.tar.gz", "project-1"], cwd=tmp_path / "web", check=True)
    (tmp_path / "web/page.tar.gz").write_text("<!DOCTYPE html><title>Please log in</title>")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "web"))

        def do_GET(self) -> None:
            if self.path != "/cut.tar.gz":
                return super().do_GET()
            content = (tmp_path / "web/good.tar.gz").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            return None

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_archive_by_its_sum(server: str, tmp_path: Path, run_module: RunModule) -> None:
    sha256 = hashlib.sha256((tmp_path / "web/good.tar.gz").read_bytes()).hexdigest()
    done = fetch(run_module, tmp_path, archive=f"{server}/good.tar.gz", sha256=sha256)
    assert done["changed"]
    assert (tmp_path / "source/setup.py").exists()
    assert json.loads((tmp_path / "source.complete").read_text())["kept"] == done["kept"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("cut.tar.gz", "ended after"),
        ("page.tar.gz", "answered with a web page"),
        ("other.tar.gz", "is not what the recipe names"),
        ("absent.tar.gz", "can't be downloaded"),
    ],
)
def test_any_other_download_is_refused(
    server: str, tmp_path: Path, run_module: RunModule, name: str, cause: str
) -> None:
    (tmp_path / "web/other.tar.gz").write_bytes(b"other")
    sha256 = hashlib.sha256((tmp_path / "web/good.tar.gz").read_bytes()).hexdigest()
    refused = fetch(run_module, tmp_path, archive=f"{server}/{name}", sha256=sha256)
    assert refused["failed"]
    assert cause in refused["msg"]
    assert not (tmp_path / "source").exists()
    assert not list((tmp_path / "downloads").rglob("*.tar.gz*"))
