"""Where a builder may compile: only in a folder that nobody but root can change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import wheel_builder_facts
from plugin_runner import RunModule
from wheel_builder_facts import open_to_others

NOBODY = 65534


@pytest.fixture
def of_others(tmp_path: Path) -> Path:
    """A folder that is not root's."""
    if os.geteuid() == 0:
        os.chown(tmp_path, NOBODY, NOBODY)
    return tmp_path


def test_a_folder_below_one_that_all_may_write_to_is_open() -> None:
    assert open_to_others(Path("/usr/share/maie-build/missing")) == []
    assert open_to_others(Path("/var/tmp/maie-build")) == ["/var/tmp"]


def test_a_folder_of_others_is_open(of_others: Path) -> None:
    assert str(of_others) in open_to_others(of_others / "build")


def test_a_link_is_open_with_where_it_lies_and_what_it_names(of_others: Path) -> None:
    inward, outward = of_others / "inward", of_others / "outward"
    inward.symlink_to("/usr/share")
    assert str(of_others) in open_to_others(inward)
    outward.symlink_to("/var/tmp")
    assert "/var/tmp" in open_to_others(outward)


def test_the_module_tells_it(run_module: RunModule) -> None:
    told = run_module(wheel_builder_facts, check=True, build_dir="/var/tmp/maie-build")
    assert told["open_to_others"] == ["/var/tmp"]
