"""How models are named, and how files of the project are found."""

from __future__ import annotations

import hashlib
from pathlib import Path

import project_files
import pytest
import wheel_recipes
from ansible.errors import AnsibleFilterError


def make_model(folder: Path, content: bytes = b"weights") -> Path:
    folder.mkdir()
    (folder / "model.bin").write_bytes(content)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  model.bin\n")
    return folder


def test_a_models_id_is_of_its_content(tmp_path: Path) -> None:
    first, same = make_model(tmp_path / "a"), make_model(tmp_path / "b")
    other = make_model(tmp_path / "c", b"other weights")
    assert project_files.model_id(str(first)) == project_files.model_id(str(same)) != project_files.model_id(str(other))
    assert len(project_files.model_id(str(first))) == 12


def test_a_model_that_is_not_whole_has_no_id(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="SHA256SUMS is missing"):
        project_files.model_id(str(tmp_path))
    model = make_model(tmp_path / "a")
    (model / "model.bin").unlink()
    with pytest.raises(AnsibleFilterError, match=r"model\.bin is missing"):
        project_files.model_id(str(model))


def test_files_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'a' * 64}  model.bin\n{'b' * 64} *config.json\n")
    assert project_files.model_files(str(tmp_path)) == ["model.bin", "config.json"]


@pytest.mark.parametrize("name", ["../model.bin", "/etc/passwd", "sub/model.bin"])
def test_a_file_outside_of_a_models_folder_is_none_of_its(tmp_path: Path, name: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{'a' * 64}  {name}\n")
    with pytest.raises(AnsibleFilterError, match="not a file in its own folder"):
        project_files.model_files(str(tmp_path))


def test_a_folders_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    first, same, other = (tmp_path / name for name in "abc")
    for folder, name, text in ((first, "schema.json", "{}"), (same, "schema.json", "{}"), (other, "schema", "{}")):
        (folder / "poem_v1").mkdir(parents=True)
        (folder / "poem_v1" / name).write_text(text)
    digests = [wheel_recipes.content_digest(str(folder)) for folder in (first, same, other)]
    assert digests[0] == digests[1] != digests[2]
    (same / "poem_v1" / "schema.json").write_text("{ }")
    assert wheel_recipes.content_digest(str(same)) != digests[0]
    with pytest.raises(AnsibleFilterError, match="does not exist on the control node"):
        wheel_recipes.content_digest(str(tmp_path / "nowhere"))


def test_files_of_the_project() -> None:
    assert Path(project_files.project_path("site.yml")).is_file()


def test_contents_become_files_of_a_folder() -> None:
    files = project_files.files_in({"a": "1", "b": "2"}, "/etc/x", mode="0400")
    assert files == [
        {"path": "/etc/x/a", "content": "1", "mode": "0400"},
        {"path": "/etc/x/b", "content": "2", "mode": "0400"},
    ]
