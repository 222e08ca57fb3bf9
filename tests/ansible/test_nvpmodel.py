"""The nvpmodel module on recorded boards, with a program that behaves as those of boards were seen to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nvpmodel
import pytest
from nvpmodel_board import ASKS_FOR_REBOOT, EMC, FAILS, GPU, HANGS, TAKES_NO_EFFECT, UNIT, Board, MakeBoard
from plugin_runner import RunModule

SUPER = "orin-nano-super-36.4.3"
NOT_SUPER = "orin-nano-36.4.3"
SUPER_CONF_ONLY = "orin-nano-with-super-conf-36.4.3"
UNSPECIFIED = ("etc/nv_boot_control.conf", "sys/firmware/devicetree/base/compatible")
GPU_TABLE = "sys/devices/platform/17000000.gpu/devfreq_dev/available_frequencies"


@pytest.fixture
def make_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBoard:
    def make(
        system: str,
        *,
        change: str = "",
        limits: dict[str, tuple[int, int]] | None = None,
        without: tuple[str, ...] = (),
        reports_kept_mode: bool = True,
        clocks_unit_is_active: bool = False,
    ) -> Board:
        board = Board(tmp_path, system, without, reports_kept_mode)
        board.use(change, limits)
        board.use_systemctl(clocks_unit_is_active)
        monkeypatch.setenv("PATH", f"{board.programs}:{os.environ['PATH']}")
        monkeypatch.setattr(nvpmodel, "ROOT", board.root)
        return board

    return make


def refused(board: Board, result: dict[str, Any], *, asked: list[str] | None = None) -> str:
    """Check that nothing is other than before, and return the sentence."""
    assert result["failed"]
    assert not result["changed"]
    assert board.asked() == (asked or [])
    assert board.state() == board.state_before
    message: str = result["msg"]
    return message


def test_sets_the_mode_by_name_and_reads_the_limits_back(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER)
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["changed"]
    assert board.asked() == ["2"]
    assert (result["before"], result["after"]) == ({"id": 1, "name": "25W"}, {"id": 2, "name": "MAXN_SUPER"})
    assert (result["gpu_limit_hz"], result["emc_limit_hz"]) == (1_020_000_000, 3_199_000_000)
    assert result["diff"] == {"before": "power mode: 25W\n", "after": "power mode: MAXN_SUPER\n"}
    assert not result["reboot_required"]
    assert not run_module(nvpmodel, mode="maxn_super")["changed"]
    assert board.asked() == ["2"]


def test_sets_the_mode_by_its_id(make_board: MakeBoard, run_module: RunModule) -> None:
    make_board(SUPER)
    assert run_module(nvpmodel, mode="0")["after"] == {"id": 0, "name": "15W"}


@pytest.mark.parametrize(("mode", "changed"), [("25W", False), ("MAXN_SUPER", True)])
def test_check_mode_tells_and_leaves_all_as_it_is(
    make_board: MakeBoard, run_module: RunModule, mode: str, changed: bool
) -> None:
    board = make_board(SUPER)
    result = run_module(nvpmodel, check=True, mode=mode)
    assert (result["changed"], board.asked(), board.state()) == (changed, [], board.state_before)
    assert result["gpu_limit_hz"] == 918_000_000


def test_a_board_that_says_that_it_is_not_super_is_left_alone(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER_CONF_ONLY)
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"))
    assert message == f"This board would report MAXN_SUPER without reaching it. {nvpmodel.NOT_SUPER}"


def test_a_board_whose_gpu_ends_early_is_left_alone(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER_CONF_ONLY, without=UNSPECIFIED)
    for mode in ("MAXN_SUPER", "25W"):
        message = refused(board, run_module(nvpmodel, mode=mode))
        assert f"{mode} without reaching it: its GPU reaches only 625 MHz, the mode 918 MHz." in message
        assert "flashed without the super configuration" in message


def test_a_mode_that_the_configuration_lacks_names_those_that_exist_and_the_cause(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    board = make_board(NOT_SUPER)
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"))
    assert message == (
        f"There is no power mode 'MAXN_SUPER' on this board; it has 15W (0), 7W (1). {nvpmodel.NOT_SUPER}"
    )


@pytest.mark.parametrize(("system", "mode"), [(NOT_SUPER, "30W"), ("agx-orin-36.4.3", "MAXN_SUPER")])
def test_the_cause_is_not_named_where_it_is_another(
    make_board: MakeBoard, run_module: RunModule, system: str, mode: str
) -> None:
    message = refused(make_board(system), run_module(nvpmodel, mode=mode))
    assert message.startswith(f"There is no power mode '{mode}' on this board; it has ")
    assert "super configuration" not in message


def test_a_mode_without_effect_is_found_out_and_the_former_one_put_back(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    board = make_board(SUPER, change=TAKES_NO_EFFECT)
    board.status.write_text("pmode:0001 fmode:fan_mode_quiet\n")
    board.state_before = board.state()
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"), asked=["2", "1"])
    assert message == (
        "nvpmodel reports the mode MAXN_SUPER, but it has no effect: the GPU allows 918 MHz, not its full "
        "1020 MHz. Reboot the board and try again. The board is in its previous mode 25W again."
    )


def test_a_board_that_never_kept_a_mode_keeps_none_after_a_refusal(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    board = make_board(SUPER, change=TAKES_NO_EFFECT, reports_kept_mode=False)
    board.status.unlink()
    assert run_module(nvpmodel, mode="MAXN_SUPER")["failed"]
    assert not board.status.exists()


def test_a_gpu_that_stays_slow_is_found_out_where_nothing_told_before(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    board = make_board(SUPER, without=(*UNSPECIFIED, GPU_TABLE), limits={"2": (624_750_000, 2_133_000_000)})
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"), asked=["2", "1"])
    assert "the GPU allows 625 MHz, less than the 918 MHz of a slower mode" in message


def test_a_memory_that_stays_slow_is_found_out(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER, limits={"2": (1_020_000_000, 2_133_000_000)})
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"), asked=["2", "1"])
    assert "the memory allows 2133 MHz, less than the 3199 MHz of a slower mode" in message


def test_a_former_mode_that_does_not_come_back_is_told(make_board: MakeBoard, run_module: RunModule) -> None:
    make_board(SUPER, limits={"2": (624_750_000, 2_133_000_000), "1": (624_750_000, 2_133_000_000)})
    message = run_module(nvpmodel, mode="MAXN_SUPER")["msg"]
    assert message.endswith("Its previous mode 25W could not be restored; reboot the board.")


def test_a_mode_that_is_only_reported_is_set_anew(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER)
    board.report("2")
    assert run_module(nvpmodel, mode="MAXN_SUPER")["changed"]
    assert board.asked() == ["2"]
    assert not run_module(nvpmodel, mode="MAXN_SUPER")["changed"]


def test_a_program_that_fails_is_a_failure_with_its_words(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER, change=FAILS)
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER"), asked=["2"])
    assert message == (
        "nvpmodel did not accept the mode MAXN_SUPER and reports 25W; it said 'NVPM ERROR: failed to set power mode!'. "
        "The board is in its previous mode 25W again."
    )


def test_a_failure_is_one_although_the_status_is_0_and_the_mode_is_reported(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    make_board(SUPER, change='keep "$2"; echo NVPM ERROR: failed to set power mode!; exit 0', without=(GPU, EMC))
    message = run_module(nvpmodel, mode="MAXN_SUPER")["msg"]
    assert message.startswith(
        "nvpmodel reports the mode MAXN_SUPER, but it said 'NVPM ERROR: failed to set power mode!'. Reboot the board "
    )


def test_a_mode_that_is_not_taken_is_told_where_no_limit_can_be_read(
    make_board: MakeBoard, run_module: RunModule
) -> None:
    make_board(SUPER, change="exit 0", without=(GPU, EMC))
    result = run_module(nvpmodel, mode="MAXN_SUPER")
    assert result["msg"].startswith("nvpmodel did not accept the mode MAXN_SUPER and reports 25W; it said ''.")


@pytest.fixture
def _somebody_says_yes(tmp_path: Path) -> Iterator[None]:
    """Let whoever asks on the tests' own standard input get "yes"."""
    answers = tmp_path / "answers"
    answers.write_text("yes\n" * 9)
    kept = os.dup(0)
    with answers.open() as stream:
        os.dup2(stream.fileno(), 0)
    yield
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.usefixtures("_somebody_says_yes")
@pytest.mark.parametrize("reports_kept_mode", [True, False])
def test_the_reboot_question_is_not_answered_but_kept_for_the_next_boot(
    make_board: MakeBoard, run_module: RunModule, reports_kept_mode: bool
) -> None:
    board = make_board(SUPER, change=ASKS_FOR_REBOOT, reports_kept_mode=reports_kept_mode)
    board.status.write_text("pmode:0001 fmode:fan_mode_quiet\n")
    first = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (first["changed"], first["reboot_required"], first["gpu_limit_hz"]) == (True, True, 918_000_000)
    assert board.status.read_text() == "pmode:0002 fmode:fan_mode_quiet\n"
    second = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (second["changed"], second["reboot_required"]) == (False, True)
    assert board.asked() == ["2"]
    board.boot("2")
    third = run_module(nvpmodel, mode="MAXN_SUPER")
    assert (third["changed"], third["reboot_required"], third["gpu_limit_hz"]) == (False, False, 1_020_000_000)


def test_a_mode_that_waits_for_a_boot_is_taken_back(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER, change=ASKS_FOR_REBOOT, reports_kept_mode=False)
    assert run_module(nvpmodel, mode="MAXN_SUPER")["reboot_required"]
    board.use()
    result = run_module(nvpmodel, mode="25W")
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert board.status.read_text() == "pmode:0001\n"
    assert not run_module(nvpmodel, mode="25W")["changed"]
    assert not run_module(nvpmodel, mode="MAXN_SUPER")["reboot_required"]


def test_a_program_that_hangs_is_given_up(
    make_board: MakeBoard, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvpmodel, "TIMEOUT", 1)
    board = make_board(SUPER, change=HANGS, clocks_unit_is_active=True)
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER", clocks_unit=UNIT), asked=["2"])
    assert message == "'nvpmodel -m 2' did not end within 1 s; reboot the board."
    assert board.calls()[-1] == f"systemctl start {UNIT}"


@pytest.mark.parametrize("change", ["", FAILS])
def test_pinned_clocks_are_released_meanwhile_and_pinned_again(
    make_board: MakeBoard, run_module: RunModule, change: str
) -> None:
    board = make_board(SUPER, change=change, clocks_unit_is_active=True)
    assert run_module(nvpmodel, mode="MAXN_SUPER", clocks_unit=UNIT).get("failed", False) is bool(change)
    calls = [call for call in board.calls() if "-q" not in call]
    assert calls == [
        f"systemctl is-active {UNIT}",
        f"systemctl stop {UNIT}",
        "nvpmodel -m 2",
        f"systemctl start {UNIT}",
    ]


def test_clocks_that_can_not_be_released_leave_the_mode(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER)
    board.use_systemctl(is_active=True, fails="stop")
    message = refused(board, run_module(nvpmodel, mode="MAXN_SUPER", clocks_unit=UNIT))
    assert message == f"{UNIT}, which pins the clocks, could not be stopped: see 'systemctl status {UNIT}'."


@pytest.mark.parametrize(("change", "first"), [("", "The mode is MAXN_SUPER now, but "), (FAILS, "nvpmodel did not")])
def test_clocks_that_stay_free_are_told(make_board: MakeBoard, run_module: RunModule, change: str, first: str) -> None:
    board = make_board(SUPER, change=change)
    board.use_systemctl(is_active=True, fails="start")
    message = run_module(nvpmodel, mode="MAXN_SUPER", clocks_unit=UNIT)["msg"]
    assert message.startswith(first)
    assert message.endswith(
        f"{UNIT}, which pins the clocks, could not be started again: see 'systemctl status {UNIT}'."
    )


@pytest.mark.parametrize(("mode", "is_active"), [("MAXN_SUPER", False), ("25W", True)])
def test_clocks_are_left_alone_that_are_not_pinned_or_need_not_be_released(
    make_board: MakeBoard, run_module: RunModule, mode: str, is_active: bool
) -> None:
    board = make_board(SUPER, clocks_unit_is_active=is_active)
    run_module(nvpmodel, mode=mode, clocks_unit=UNIT)
    assert [call for call in board.calls() if " st" in call] == []


def test_no_configuration_is_no_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: RunModule) -> None:
    monkeypatch.setattr(nvpmodel, "ROOT", tmp_path)
    assert "defines no power mode" in run_module(nvpmodel, mode="MAXN_SUPER")["msg"]


def test_a_board_without_the_program_is_told(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER)
    board.program.unlink()
    assert "nvpmodel is not installed" in run_module(nvpmodel, mode="MAXN_SUPER")["msg"]


def test_a_program_that_names_no_mode_is_told(make_board: MakeBoard, run_module: RunModule) -> None:
    board = make_board(SUPER)
    board.program.write_text("#!/bin/sh\necho NVPM ERROR: parsing failed\n")
    message = run_module(nvpmodel, mode="MAXN_SUPER")["msg"]
    assert message == "'nvpmodel -q' names no mode: NVPM ERROR: parsing failed"
