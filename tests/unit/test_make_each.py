"""The parts of `make test`: one that fails keeps no other from running, and is told at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from support.audiofiles import ROOT
from support.processes import wait_for

MAKEFILE = r"""
passes:
	@printf 'at work\n==== 3 passed in 1.20s ====\n'
fails:
	@printf '=== short test summary info ===\nFAILED test_x\n\033[31m== 1 failed, 2 passed in 0.50s ==\033[0m\n'; exit 3
scenario:
	@touch here; until [ -e there ]; do sleep 0.05; done
	@printf 'INFO Molecule executed 1 scenario (1 successful)\n\nscenario : actions=9 failed=0\n'
tests:
	@touch there; until [ -e here ]; do sleep 0.05; done
	@echo 'tests are done'
"""


def made(folder: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    (folder / "Makefile").write_text(MAKEFILE)
    return subprocess.run(
        [ROOT / "scripts/make-each", *groups], cwd=folder, text=True, capture_output=True, timeout=60, check=False
    )


def test_what_fails_is_told_at_the_end_and_all_others_are_made(tmp_path: Path) -> None:
    done = made(tmp_path, "fails", "missing", "passes")
    assert done.returncode == 1
    assert "at work" in done.stdout
    assert "No rule to make target 'missing'" in done.stdout
    *_, fails, passes, outcomes = done.stdout.split("\n\n")
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in fails.splitlines()] == [
        "fails",
        "=== short test summary info ===",
        "FAILED test_x",
        "== 1 failed, 2 passed in 0.50s ==",
    ]
    assert passes == "passes\n==== 3 passed in 1.20s ===="
    assert [line.split()[:2] for line in outcomes.splitlines()] == [
        ["fails", "FAILED"],
        ["missing", "FAILED"],
        ["passes", "passed"],
        ["in", "all"],
    ]


def test_where_nothing_fails_the_status_says_so(tmp_path: Path) -> None:
    assert made(tmp_path, "passes").returncode == 0


def test_two_are_made_at_a_time_and_each_is_shown_as_a_whole(tmp_path: Path) -> None:
    done = made(tmp_path, "tests+scenario+fails")
    assert done.returncode == 1
    assert re.search(r"^tests are done\ntests +passed", done.stdout, re.MULTILINE)
    assert (
        "scenario\nINFO Molecule executed 1 scenario (1 successful)\n\nscenario : actions=9 failed=0\n" in done.stdout
    )


def test_who_interrupts_it_is_told_what_has_been_made(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    command = [ROOT / "scripts/make-each", "passes", "scenario", "tests"]  # alone, the scenario waits for ever
    making = subprocess.Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, start_new_session=True)
    wait_for((tmp_path / "here").exists, 60, "the scenario")
    os.killpg(making.pid, signal.SIGINT)
    told = making.communicate(timeout=60)[0]
    assert making.returncode == 1
    assert re.search(r"^passes +passed .*\nscenario +(FAILED|not made) .*\ntests +not made ", told, re.MULTILINE)


def test_a_part_that_hangs_beside_another_has_said_how_far_it_came(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("hangs:\n\t@echo 'step 1'; sleep 60\n" + MAKEFILE)
    command = [ROOT / "scripts/make-each", "passes+hangs"]
    making = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
    log = tmp_path / ".cache/make/hangs.log"
    wait_for(lambda: log.exists() and log.read_text() == "step 1\n", 30, "the log")
    os.killpg(making.pid, signal.SIGKILL)
    making.wait()
    assert (tmp_path / ".cache/make/passes.log").read_text().startswith("at work\n")


def test_help_says_where_the_output_is() -> None:
    done = subprocess.run([ROOT / "scripts/make-each", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, ".cache/make/TARGET.log" in done.stdout) == (0, True)


def test_each_test_on_virtual_devices_has_its_part() -> None:
    told = subprocess.run(
        ["make", "-n", "device"], cwd=ROOT, env={**os.environ, "MAIE_TEST_FULL": "1"}, text=True, capture_output=True
    ).stdout
    mark = re.compile(r"^(pytestmark = \[?|    )pytest\.mark\.device", re.MULTILINE)
    marked = {path for path in (ROOT / "tests").rglob("test_*.py") if mark.search(path.read_text())}
    assert len(marked) > 10
    assert {str(path.relative_to(ROOT)) for path in marked} <= set(told.split())
