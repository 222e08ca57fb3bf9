"""uv installs what the lock names by its hash, from the index that pip is set to on the host."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pip_settings
import pytest
import python_environment
import release_code
from ansible.module_utils import environments
from environment_ids import environment_id
from host_plays import play
from package_index_server import PackageIndex, wheel
from plugin_runner import RunModule

ID = "0" * 12
NOTHING: dict[str, list[str]] = {name: [] for name in pip_settings.LISTS + pip_settings.SINGLE}


Make = Callable[..., dict[str, Any]]
"""Takes a step, by the module's states."""


def locked(name: str, content: bytes) -> str:
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"


@pytest.fixture
def spoken(index: PackageIndex) -> bytes:
    """A package of the index."""
    return index.add(wheel("spoken", "1.0", {"spoken/__init__.py": b"word = 'hello'\n"}, python=">=3"))


@pytest.fixture(scope="session")
def uv_wheel() -> tuple[str, bytes]:
    """The control node's uv as a wheel."""
    program = Path(sys.executable).with_name("uv").read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-1.0.data/scripts/uv", program)
    return "uv-1.0-py3-none-any.whl", content.getvalue()


@pytest.fixture
def work(tmp_path: Path, uv_wheel: tuple[str, bytes]) -> Path:
    """What role environment brings to a host."""
    name, content = uv_wheel
    folder = tmp_path / f"{ID}.new"
    for part in ("uv", "wheels"):
        (folder / part).mkdir(parents=True)
    (folder / "uv" / name).write_bytes(content)
    return folder


@pytest.fixture
def make(work: Path, uv_wheel: tuple[str, bytes], spoken: bytes, run_module: RunModule) -> Make:
    """Take a step in making an environment of what the index has, or of what is given instead."""
    what = {"requirements": locked("spoken", spoken), "uv_lock": locked("uv", uv_wheel[1])}

    def step(state: str, **changed: Any) -> dict[str, Any]:
        return run_module(python_environment, root=str(work.parent), state=state, **{"id": ID, **what, **changed})

    return step


def word_of(python: Path) -> str:
    return subprocess.run([python, "-c", "import spoken; print(spoken.word)"], capture_output=True, text=True).stdout


def test_what_the_lock_names_is_installed_from_pips_index(make: Make, tmp_path: Path) -> None:
    assert "failed" not in make("installed")
    assert make("verified")["fault"] == "it is missing"
    make("completed")
    assert make("verified")["sound"]
    assert word_of(tmp_path / ID / "bin/python") == "hello\n"
    assert list(tmp_path.glob(f"{ID}/lib/*/site-packages/spoken/__pycache__/*.pyc"))
    assert [path.name for path in tmp_path.glob(f"{ID}*")] == [ID]


def test_other_bytes_than_the_locks_are_refused(make: Make, index: PackageIndex) -> None:
    index.add(wheel("spoken", "1.0", {"spoken/__init__.py": b"word = 'evil'\n"}, python=">=3"))
    assert "Hash mismatch" in make("installed")["msg"]


def test_what_has_no_hash_is_refused(make: Make) -> None:
    assert "hash" in make("installed", requirements="spoken==1.0\n")["msg"]


def test_another_uv_than_the_locks_is_not_run(make: Make) -> None:
    assert "not the file that the lock of uv names" in make("installed", uv_lock=locked("uv", b"another"))["msg"]


def test_the_uv_that_runs_is_the_one_that_was_verified(
    work: Path, uv_wheel: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to its file meanwhile."""
    name, content = uv_wheel

    def replaced(archive: Any) -> zipfile.ZipFile:
        with zipfile.ZipFile(work / "uv" / name, "w") as another:
            another.writestr("uv-1.0.data/scripts/uv", b"another")
        return zipfile.ZipFile(archive)

    monkeypatch.setattr(python_environment, "ZipFile", replaced)
    program = python_environment.unpack_uv(work, locked("uv", content))
    assert program.read_bytes() == Path(sys.executable).with_name("uv").read_bytes()


def test_everyone_can_import_what_a_strict_umask_made(make: Make, work: Path) -> None:
    before = os.umask(0o077)
    try:
        make("installed")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o077 for path in (work / "environment/lib").rglob("*.py")} == {0o044}


def test_a_bundle_is_all_that_is_asked(make: Make, work: Path, index: PackageIndex, spoken: bytes) -> None:
    (work / "wheels/spoken-1.0-py3-none-any.whl").write_bytes(spoken)
    assert "failed" not in make("installed", offline=True)
    assert word_of(work / "environment/bin/python") == "hello\n"
    assert index.requests == []
    shutil.rmtree(work / "environment")
    (work / "wheels/spoken-1.0-py3-none-any.whl").unlink()
    assert "not found in the provided package locations" in make("installed", offline=True)["msg"]


def test_an_argument_that_uv_has_nothing_for_is_refused(make: Make) -> None:
    assert "unrecognized arguments" in make("installed", pip_arguments=["--use-deprecated", "legacy-resolver"])["msg"]


def test_pips_settings_in_the_words_of_uv(tmp_path: Path) -> None:
    machine, user = tmp_path / "machine.conf", tmp_path / "user.conf"
    machine.write_text("[global]\nindex-url = https://a/simple\ntimeout = 60\nextra-index-url =\n  https://b/simple\n")
    user.write_text("[install]\nindex_url = https://c/simple\ncert = /etc/ca.pem\ntrusted-host = c d:81\n")
    environment = {"PIP_EXTRA_INDEX_URL": "https://e/simple https://f/simple", "PIP_PROXY": "http://proxy:3128"}
    arguments = ["--extra-index-url", "https://g/simple", "--find-links=/wheels", "--no-cache-dir", "--timeout", "5"]
    found = pip_settings.settings([machine, user, tmp_path / "none"], environment, arguments)
    assert pip_settings.for_uv(found) == {
        "UV_DEFAULT_INDEX": "https://c/simple",
        "UV_INDEX": "https://e/simple https://f/simple https://g/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_INSECURE_HOST": "c d:81",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "ALL_PROXY": "http://proxy:3128",
        "UV_HTTP_TIMEOUT": "5",
    }
    assert not pip_settings.without_index(found)
    assert pip_settings.without_index(pip_settings.settings([], {}, ["--no-index"]))
    assert pip_settings.for_uv(NOTHING) == {}


def test_pips_files_in_their_order() -> None:
    home = {"HOME": "/home/me"}
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "/home/me/.pip/pip.conf", "/home/me/.config/pip/pip.conf"]
    assert [str(path) for path in pip_settings.config_files(home)] == files
    assert str(pip_settings.config_files({**home, "PIP_CONFIG_FILE": "/x"})[-1]) == "/x"
    assert pip_settings.config_files({**home, "PIP_CONFIG_FILE": "/dev/null"}) == []


@pytest.fixture
def laid_down(make: Make, tmp_path: Path) -> dict[str, str]:
    """What role maie asks for: a wheel of the service, and the environment that it needs."""
    make("installed")
    make("completed")
    # As the engine, it starts a process anew, which imports the program that was started.
    main = b"""
import multiprocessing
import spoken
def main():
    process = multiprocessing.get_context("spawn").Process(target=print, args=(spoken.word, "from", __file__))
    process.start()
    process.join()
    return process.exitcode
"""
    entry = b"[console_scripts]\nmaie = maie.cli:main\n"
    name, content = wheel("maie", "1.0", {"maie/cli.py": main, "maie-1.0.dist-info/entry_points.txt": entry})
    (tmp_path / name).write_bytes(content)
    whole = hashlib.sha256(content).hexdigest()
    folder = tmp_path / "release/venv"
    return {
        "folder": str(folder), "wheel": str(tmp_path / name), "sha256": whole, "environment": str(tmp_path / ID)
    }  # fmt: skip


def test_a_release_has_its_own_code_and_shares_the_rest(laid_down: dict[str, str], run_module: RunModule) -> None:
    assert run_module(release_code, **laid_down)["changed"]
    folder = Path(laid_down["folder"])
    said = subprocess.run([folder / "bin/maie"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"hello from {folder}/lib/")
    assert not list(folder.rglob("spoken*"))
    assert list(folder.glob("lib/*/site-packages/maie/__pycache__/*.pyc"))


def test_another_wheel_than_was_built_is_refused(laid_down: dict[str, str], run_module: RunModule) -> None:
    refused = run_module(release_code, **{**laid_down, "sha256": "0" * 64})
    assert "arrived with SHA-256" in refused["msg"]
    assert not Path(laid_down["folder"]).exists()


def damaged(how: str, place: Path) -> None:
    """Spoil an environment as an accident or a person does."""
    code = next(place.glob("lib/*/site-packages/spoken/__init__.py"))
    if how == "interrupted":
        (place / ".complete").unlink()
    elif how == "truncated":
        os.truncate(code, 3)
    elif how == "changed":
        code.write_text("word = 'other'\n"[: code.stat().st_size])


def test_a_damaged_environment_is_never_used_but_made_again(
    make: Make, work: Path, uv_wheel: tuple[str, bytes], spoken: bytes, tmp_path: Path
) -> None:
    """Four hosts on this machine have the same environment; what the role finds wrong with it, it mends."""
    uv = locked("uv", uv_wheel[1])
    recipe = {"lock": locked("spoken", spoken), "uv": uv, "platform": "x86_64-cp311", "wheels": []}
    name = environment_id(recipe)
    (tmp_path / "cache").mkdir()
    fetched = tmp_path / f"cache/uv-x86_64-cp311-{hashlib.sha256(uv.encode()).hexdigest()[:12]}.tar"
    with tarfile.open(fetched, "w") as archive:
        archive.add(next((work / "uv").glob("*.whl")), "uv-1.0-py3-none-any.whl")
    work.rename(tmp_path / f"{name}.new")
    make("installed", id=name)
    make("completed", id=name)
    hosts = {how: {"environment_root": str(tmp_path / how)} for how in ("sound", "interrupted", "truncated", "changed")}
    for how in hosts:
        shutil.copytree(tmp_path / name, tmp_path / how / name, symlinks=True)
        damaged(how, tmp_path / how / name)
    before = {how: (tmp_path / how / name).stat().st_ino for how in hosts}

    variables = {"environment_recipe": recipe, "environment_cache": str(tmp_path / "cache")}
    include: dict[str, Any] = {"ansible.builtin.include_role": {"name": "environment"}, "vars": variables}
    told = play(tmp_path, [include], hosts)

    for how in hosts:
        assert not told[how].failed, told[how].said
        assert environments.fault(tmp_path / how / name) == ""
        assert word_of(tmp_path / how / name / "bin/python") == "hello\n"
        assert [path.name for path in (tmp_path / how).iterdir()] == [name]
    again = {how for how in hosts if (tmp_path / how / name).stat().st_ino != before[how]}
    assert again == {*hosts} - {"sound"}
    assert "it was never completed" in told["interrupted"].said
    assert "spoken/__init__.py was changed" in told["truncated"].said
    assert "spoken/__init__.py was changed" in told["changed"].said
