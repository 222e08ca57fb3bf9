"""A shared environment is used while it is what was made, and never otherwise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import python_environment
from ansible.module_utils import environments
from environment_ids import environment_id
from plugin_runner import RunModule

ID = "0" * 12
RECIPE = {"lock": "a==1\n", "uv": "uv==1\n", "platform": "x86_64-cp311", "wheels": [{"name": "b", "sha256": "0"}]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An environment in its place: a package, a program, and a link."""
    made = tmp_path / f"{ID}.new/environment"
    (made / "lib/package").mkdir(parents=True)
    (made / "bin").mkdir()
    (made / "lib/package/code.py").write_text("x = 1\n")
    (made / "bin/program").write_text("#!/bin/sh\n")
    (made / "bin/program").chmod(0o744)
    (made / "bin/python").symlink_to("/usr/bin/python3")
    (made / "lib64").symlink_to("lib")
    environments.complete(made, tmp_path / ID)
    return tmp_path / ID


def write(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


def same_size_and_time(place: Path) -> None:
    code = place / "lib/package/code.py"
    before = code.stat()
    write(code, "x = 2\n")
    code.chmod(0o444)
    os.utime(code, ns=(before.st_atime_ns, before.st_mtime_ns))


def retarget(place: Path) -> None:
    (place / "bin/python").unlink()
    (place / "bin/python").symlink_to("/tmp/python")


def test_an_environment_is_read_only_and_sound(place: Path) -> None:
    assert environments.fault(place) == ""
    modes = {name: shown.st_mode & 0o7777 for name, shown in environments.survey(place).items()}
    files = {"lib/package/code.py": 0o444, "bin/program": 0o555, "bin/python": 0o777, "lib64": 0o777}
    assert modes == {**files, **dict.fromkeys((".", "bin", "lib", "lib/package"), 0o555)}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda place: (place / ".complete").unlink(), "it was never completed", id="interrupted"),
        pytest.param(lambda place: write(place / ".complete", '{"lib'), "its record is damaged", id="half a record"),
        pytest.param(
            lambda place: (place / ".complete").write_bytes(b"\xff"), "its record is damaged", id="a record of no text"
        ),
        pytest.param(lambda place: write(place / ".complete", "[]"), "its record is damaged", id="another record"),
        pytest.param(lambda place: (place / "lib").chmod(0o777), "lib was changed", id="mode of a folder"),
        pytest.param(lambda place: place.chmod(0o777), "the folder itself was changed", id="mode of its own folder"),
        pytest.param(
            lambda place: write(place / "lib/package/code.py", ""), "lib/package/code.py was changed", id="truncated"
        ),
        pytest.param(same_size_and_time, "lib/package/code.py was changed", id="changed, of the same size and time"),
        pytest.param(lambda place: (place / "bin/program").chmod(0o444), "bin/program was changed", id="mode"),
        pytest.param(retarget, "bin/python was changed", id="link"),
        pytest.param(
            lambda place: (place / "lib/package/code.py").unlink(), "lib/package/code.py is missing", id="removed"
        ),
        pytest.param(
            lambda place: (place / "lib/json.py").write_text(""), "lib/json.py was added", id="a module in the way"
        ),
        pytest.param(lambda place: shutil.rmtree(place), "it is missing", id="gone"),
    ],
)
def test_what_was_changed_is_told(
    place: Path, run_module: RunModule, damage: Callable[[Path], None], told: str
) -> None:
    folders = [place, place / "lib", place / "lib/package", place / "bin"]
    for folder in folders:
        folder.chmod(0o755)
    damage(place)
    for folder in folders:
        if folder.is_dir() and folder.stat().st_mode & 0o777 == 0o755:
            folder.chmod(0o555)
    found = run_module(python_environment, root=str(place.parent), id=ID, state="verified")
    assert (found["sound"], found["fault"]) == (False, told)


def test_what_only_looks_different_is_read_again(place: Path) -> None:
    """As after a copy of the whole disk: other times, the same files."""
    for name in environments.survey(place):
        os.utime(place / name, (1, 1), follow_symlinks=False)
    assert environments.fault(place) == ""


def test_nothing_is_read_where_nothing_looks_different(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "identity", lambda path, _: pytest.fail(f"{path} was read"))
    assert environments.fault(place) == ""


def test_what_cannot_be_read_is_told(place: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that fails."""
    same_size_and_time(place)

    def fail(path: Path) -> str:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(environments, "sha256", fail)
    told = run_module(python_environment, root=str(place.parent), id=ID, state="verified")["fault"]
    assert told.startswith("it can't be read: [Errno 5] Input/output error")


def test_a_power_cut_never_leaves_the_place_empty(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the damaged one is moved away: right afterwards there is one in its place."""
    same_size_and_time(place)
    made = tmp_path / f"{ID}.new/environment"
    (made / "lib").mkdir(parents=True)

    def cut_after(move: Callable[..., None]) -> Callable[..., None]:
        def moved(*arguments: object) -> None:
            move(*arguments)
            raise RuntimeError("the power is cut")

        return moved

    monkeypatch.setattr(os, "rename", cut_after(os.rename))
    monkeypatch.setattr(environments, "exchange", cut_after(environments.exchange))
    with pytest.raises(RuntimeError, match="power"):
        environments.complete(made, place)
    assert [path.name for path in place.iterdir() if path.is_dir()] == ["lib"]


def test_a_damaged_one_is_replaced_in_one_step(place: Path, tmp_path: Path, run_module: RunModule) -> None:
    same_size_and_time(place)
    made = tmp_path / f"{ID}.new/environment/lib"
    made.mkdir(parents=True)
    (made / "new.py").write_text("")
    run_module(python_environment, root=str(tmp_path), id=ID, state="completed")
    assert environments.fault(place) == ""
    assert list(environments.survey(place)) == [".", "lib", "lib/new.py"]
    assert [path.name for path in tmp_path.iterdir()] == [ID]


def test_what_a_former_version_made_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ID).mkdir()
    (tmp_path / ID / ".complete").write_text(f"{ID}\n")
    assert environments.fault(tmp_path / ID) == ""


@pytest.mark.parametrize(
    "changed",
    [{"lock": "a==2\n"}, {"uv": "uv==2\n"}, {"platform": "aarch64-cp310"}, {"wheels": []}],
    ids=lambda changed: next(iter(changed)),
)
def test_another_input_is_another_environment(changed: dict[str, object]) -> None:
    assert environment_id({**RECIPE, **changed}) != environment_id(RECIPE) == environment_id(dict(RECIPE))
