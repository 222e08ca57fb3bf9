"""Small files and their folders, written in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_files
from plugin_runner import RunModule

OWN = {"owner": "", "group": ""}


@pytest.fixture
def write(tmp_path: Path, run_module: RunModule) -> Any:
    """Write files into a folder of their own; a name with a content, or with more options."""

    def call(
        check: bool = False, diff: bool = True, folder_mode: str = "0750", **files: str | dict[str, str]
    ) -> dict[str, Any]:
        folders = [{"path": str(tmp_path / "a"), "mode": folder_mode, **OWN}]
        options = {name: {"content": file} if isinstance(file, str) else file for name, file in files.items()}
        wanted = [{"path": str(tmp_path / "a" / name), **OWN, **file} for name, file in options.items()]
        return run_module(small_files, check=check, folders=folders, files=wanted, _ansible_diff=diff)

    return call


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_mode & 0o777 for path in [folder, *folder.iterdir()]}


def test_written_once_and_then_left_alone(tmp_path: Path, write: Any) -> None:
    files = {"script": {"content": "exec true\n", "mode": "0755"}, "secret": {"content": "s", "mode": "0400"}}
    first = write(**files, plain="p\n")
    assert (first["changed"], len(first["written"])) == (True, 3)
    assert (tmp_path / "a/script").read_text() == "exec true\n"
    assert modes(tmp_path / "a") == {"a": 0o750, "script": 0o755, "secret": 0o400, "plain": 0o644}
    before = (tmp_path / "a/script").stat()
    second = write(**files, plain="p\n")
    assert (second["changed"], second["written"], second["diff"]) == (False, [], [])
    assert (tmp_path / "a/script").stat() == before


def test_only_what_differs_is_written_and_shown(tmp_path: Path, write: Any) -> None:
    write(one="1\n", two="2\n")
    told = write(one="1\n", two="zwei\n")
    assert told["written"] == [str(tmp_path / "a/two")]
    assert [(diff["before"], diff["after"]) for diff in told["diff"]] == [("2\n", "zwei\n")]
    assert write(diff=False, two="2\n")["diff"] == []


@pytest.mark.parametrize("drifted", ["a", "a/one"])
def test_a_mode_that_has_drifted_is_set_again(tmp_path: Path, write: Any, drifted: str) -> None:
    write(one="1\n")
    (tmp_path / drifted).chmod(0o777)
    told = write(one="1\n")
    assert (told["changed"], told["written"]) == (True, [])
    assert modes(tmp_path / "a") == {"a": 0o750, "one": 0o644}


def test_check_mode_tells_and_changes_nothing(tmp_path: Path, write: Any) -> None:
    told = write(check=True, one={"content": "1\n", "validate": "false %s"})
    assert (told["changed"], told["written"]) == (True, [str(tmp_path / "a/one")])
    assert not (tmp_path / "a").exists()
    write(one="1\n")
    assert not write(check=True, one="1\n")["changed"]
    assert write(check=True, one="other\n")["changed"]
    assert write(check=True, folder_mode="0700", one="1\n")["changed"]
    assert (modes(tmp_path / "a"), (tmp_path / "a/one").read_text()) == ({"a": 0o750, "one": 0o644}, "1\n")


def test_one_broken_file_keeps_all_in_place(tmp_path: Path, write: Any) -> None:
    write(one="runs\n", two="runs\n")
    told = write(one="new\n", two={"content": "new\n", "validate": "grep runs %s"})
    assert told["failed"]
    assert str(tmp_path / "a/two") in told["msg"]
    assert [(tmp_path / "a" / name).read_text() for name in ("one", "two")] == ["runs\n", "runs\n"]


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path, write: Any) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "target").write_text("1\n")
    (tmp_path / "a/one").symlink_to(tmp_path / "target")
    assert write(one="1\n")["written"] == [str(tmp_path / "a/one")]
    assert not (tmp_path / "a/one").is_symlink()
    write(one="2\n")
    assert (tmp_path / "target").read_text() == "1\n"


def test_a_folder_on_another_disk_gets_the_mode_there(tmp_path: Path, write: Any) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    assert write(one="1\n")["changed"]
    assert modes(tmp_path / "disk") == {"disk": 0o750, "one": 0o644}
    assert (tmp_path / "a").is_symlink()
    assert not write(one="1\n")["changed"]


def test_a_folder_that_another_call_makes_meanwhile_is_taken(
    tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_dir = Path.is_dir

    def just_before(path: Path) -> bool:
        there = is_dir(path)
        path.mkdir(exist_ok=True)
        monkeypatch.undo()
        return there

    monkeypatch.setattr(Path, "is_dir", just_before)
    assert write(one="1\n")["written"] == [str(tmp_path / "a/one")]


def test_what_can_not_be_written_fails(tmp_path: Path, write: Any) -> None:
    (tmp_path / "a/one").mkdir(parents=True)
    assert "is a folder" in write(one="1\n")["msg"]
