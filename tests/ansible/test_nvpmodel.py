"""The nvpmodel module against a program that behaves as boards were seen to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nvpmodel
import pytest
from plugin_runner import RunModule
from recorded import ORIN_NANO, ORIN_NANO_SUPER

PROGRAM = """\
#!/bin/sh
# Keeps the mode in a file, and sets the GPU's limit as this board does.
case "$1" in
  -q) cat {folder}/shown ;;
  -m) echo "$2" >> {folder}/asked
      if [ "{question}" = yes ] && ! read answer; then
        echo "NVPM WARN: Reboot required for changing to this power mode: $2"
        echo "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"
        echo "NVPM ERROR: bad input!"; exit 234
      fi
      {effect}
      ;;
esac
"""
TAKES = """\
case $2 in 0) n=15W f=612000000;; 1) n=25W f=918000000;; 2) n=MAXN_SUPER f={top};; esac
echo $f > {folder}/max_freq
printf "NV Power Mode: %s\\n%s\\n" $n $2 > {folder}/shown
"""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a board; returns its folder, in which ``asked`` lists the modes that were set."""

    def make(conf: str = ORIN_NANO_SUPER, top: int = 1_020_000_000, effect: str = TAKES, question: str = "no") -> Path:
        limit = tmp_path / "max_freq"
        (tmp_path / "nvpmodel.conf").write_text(
            conf.replace("/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq", str(limit))
        )
        limit.write_text("918000000\n")
        (tmp_path / "shown").write_text("NV Power Mode: 25W\n1\n")
        program = tmp_path / "nvpmodel"
        program.write_text(
            PROGRAM.format(folder=tmp_path, question=question, effect=effect.format(top=top, folder=tmp_path))
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(nvpmodel, "CONF", tmp_path / "nvpmodel.conf")
        monkeypatch.setattr(nvpmodel, "STATUS", tmp_path / "status")
        monkeypatch.setattr(nvpmodel, "BOOT_CONTROL", tmp_path / "nv_boot_control.conf")
        return tmp_path

    return make


def asked(board: Path) -> list[str]:
    file = board / "asked"
    return file.read_text().split() if file.exists() else []


def test_sets_the_mode_by_name_and_reads_the_limit_back(board: Callable[..., Path], run_module: RunModule) -> None:
    folder = board()
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["changed"]
    assert asked(folder) == ["2"]
    assert result["gpu_limit_hz"] == 1_020_000_000
    assert result["diff"] == {"before": "power mode: 25W\n", "after": "power mode: MAXN_SUPER\n"}


def test_sets_nothing_that_holds_already(board: Callable[..., Path], run_module: RunModule) -> None:
    folder = board()
    assert not run_module(nvpmodel, mode="25W")["changed"]
    assert asked(folder) == []


def test_check_mode_only_tells(board: Callable[..., Path], run_module: RunModule) -> None:
    folder = board()
    assert run_module(nvpmodel, check=True, mode="MAXN_SUPER")["changed"]
    assert asked(folder) == []


def test_a_board_that_says_that_it_is_not_super_is_left_alone(
    board: Callable[..., Path], run_module: RunModule
) -> None:
    folder = board(top=624_750_000)
    (folder / "nv_boot_control.conf").write_text("TNSPEC 3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-\n")
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["failed"]
    assert "flashed without the super configuration" in result["msg"]
    assert asked(folder) == []


def test_a_mode_that_the_gpu_does_not_reach_is_found_out(board: Callable[..., Path], run_module: RunModule) -> None:
    board(top=624_750_000)
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["failed"]
    assert "the GPU allows 625 MHz, less than the 918 MHz of a slower mode" in result["msg"]


def test_an_unknown_mode_names_those_that_exist(board: Callable[..., Path], run_module: RunModule) -> None:
    folder = board(conf=ORIN_NANO)
    (folder / "nv_boot_control.conf").write_text("TNSPEC 3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-\n")
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["failed"]
    assert "it has 15W (0), 7W (1)." in result["msg"]
    assert "flashed without the super configuration" in result["msg"]
    assert asked(folder) == []


def test_a_mode_that_does_not_take_is_a_failure(board: Callable[..., Path], run_module: RunModule) -> None:
    board(effect="true")
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["failed"]
    assert "it is 25W now" in result["msg"]


def test_the_reboot_question_is_not_answered_but_kept_for_the_next_boot(
    board: Callable[..., Path], run_module: RunModule
) -> None:
    folder = board(question="yes")
    (folder / "status").write_text("pmode:0001 fmode:fan_mode_quiet\n")
    first: dict[str, Any] = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (first["changed"], first["reboot_required"]) == (True, True)
    assert (folder / "status").read_text() == "pmode:0002 fmode:fan_mode_quiet\n"
    second = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (second["changed"], second["reboot_required"]) == (False, True)
    assert asked(folder) == ["2"]


def test_no_configuration_is_no_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: RunModule) -> None:
    monkeypatch.setattr(nvpmodel, "CONF", tmp_path / "absent.conf")
    assert "defines no power mode" in run_module(nvpmodel, mode="MAXN_SUPER")["msg"]
