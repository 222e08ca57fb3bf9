"""The same source gives the same wheel, wherever and whenever it is built."""

from __future__ import annotations

import os
from pathlib import Path

import maie_wheel
import pytest
from plugin_runner import RunModule

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "probe"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["src/probe"]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    (folder / "src/probe").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "src/probe/__init__.py").write_text("answer = 42\n")
    return folder


def test_built_once_and_the_same_elsewhere(source: Path, tmp_path: Path, run_module: RunModule) -> None:
    first = run_module(maie_wheel, source=str(source), cache=str(tmp_path / "cache"))
    assert first["changed"]
    assert Path(first["path"]).parent.name == first["sha256"][:12]
    again = run_module(maie_wheel, source=str(source), cache=str(tmp_path / "cache"))
    assert (again["changed"], again["path"]) == (False, first["path"])
    elsewhere = source.rename(tmp_path / "there")
    os.utime(elsewhere / "src/probe/__init__.py", (1, 1))
    (elsewhere / "src/probe/__pycache__").mkdir()
    (elsewhere / "src/probe/__pycache__/left.pyc").write_bytes(b"over")
    moved = run_module(maie_wheel, source=str(elsewhere), cache=str(tmp_path / "other"))
    assert moved["sha256"] == first["sha256"]


def test_other_source_is_another_wheel(source: Path, tmp_path: Path, run_module: RunModule) -> None:
    first = run_module(maie_wheel, source=str(source), cache=str(tmp_path / "cache"))
    (source / "src/probe/__init__.py").write_text("answer = 43\n")
    second = run_module(maie_wheel, source=str(source), cache=str(tmp_path / "cache"))
    assert second["changed"]
    assert second["sha256"] != first["sha256"]
    assert Path(first["path"]).exists()


def test_what_cannot_be_built_says_why(source: Path, tmp_path: Path, run_module: RunModule) -> None:
    (source / "pyproject.toml").write_text(PYPROJECT.replace('version = "1"', ""))
    result = run_module(maie_wheel, source=str(source), cache=str(tmp_path / "cache"))
    assert result["failed"]
    assert "version" in result["msg"]
