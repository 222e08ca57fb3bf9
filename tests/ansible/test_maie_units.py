"""The units and settings that a host uses are those of the current release, whichever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maie_units
import pytest
from plugin_runner import RunModule

WANTS = "[Unit]\nWants=maie-redis.service maie-worker.service maie-api.service\n"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with two releases, of which the one has a unit more."""
    for release, units in {"a": ["maie-worker.service"], "b": ["maie-worker.service", "maie-llm.path"]}.items():
        folder = tmp_path / "releases" / release / "systemd"
        folder.mkdir(parents=True)
        for unit in units:
            (folder / unit).write_text(release)
        (folder / "maie.target").write_text(WANTS)
        (folder.parent / "maie.env").write_text(release)
    (tmp_path / "system/multi-user.target.wants").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def link(host: Path, run_module: RunModule) -> Any:
    """Make a release the current one, and link what belongs to it."""

    def call(release: str, check: bool = False) -> dict[str, Any]:
        (host / "current").unlink(missing_ok=True)
        if release:
            (host / "current").symlink_to(f"releases/{release}")
        folders = {"root": str(host), "units_dir": str(host / "system"), "settings": str(host / "maie.env")}
        return run_module(maie_units, check=check, **folders)

    return call


def test_units_settings_and_boot_lead_through_the_current_release(host: Path, link: Any) -> None:
    first = link("a")
    assert first["starts"] == ["maie-worker.service", "maie-api.service"]
    boot = host / "system/multi-user.target.wants/maie.target"
    assert (host / "system/maie-worker.service").read_text() == (host / "maie.env").read_text() == "a"
    assert boot.readlink() == host / "current/systemd/maie.target"
    assert (link("a")["changed"], link("b")["linked"]) == (False, [str(host / "system/maie-llm.path")])
    assert (host / "system/maie-worker.service").read_text() == "b"


def test_a_file_in_the_place_of_a_link_is_replaced(host: Path, link: Any) -> None:
    (host / "system/maie-worker.service").write_text("edited by hand")
    (host / "system/.maie-worker.service.new").write_text("left by an interrupted run")
    link("a")
    assert (host / "system/maie-worker.service").read_text() == "a"


@pytest.mark.parametrize("release", ["", "a"])
def test_check_mode_tells_and_links_nothing(host: Path, link: Any, release: str) -> None:
    assert link(release, check=True)["changed"]
    assert [path.name for path in (host / "system").iterdir()] == ["multi-user.target.wants"]
    assert not (host / "maie.env").is_symlink()
