"""Tuning boards on which something is wrong: refused before anything was changed, or found out and put back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.virtual import PROJECT, Play, docker, play, recap, remove

pytestmark = [pytest.mark.device, pytest.mark.timeout(600)]

BOARD = "jetson-tune-02"
PLAIN = "plain-tune-01"
SNAPSHOT = PROJECT / "molecule/tune/snapshot"
GPU_LIMIT = "/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"
CLOCKS = "maie-jetson-clocks.service"
# Its file lies where a mask would.
SERVICE = "nvargus-daemon.service"
# Without what these tests are not about and takes long.
LESS = {"jetson_tune_jtop": False, "jetson_tune_hold_bsp": False, "jetson_tune_disabled_services": [SERVICE]}
WITHOUT = ("-e", json.dumps(LESS))
INVENTORY = f"""
all:
  children:
    virtual:
      vars:
        ansible_connection: community.docker.docker
        ansible_python_interpreter: /usr/bin/python3
        virtual_host_network: maie-tune-faults
        virtual_host_subnet: 10.213.94.0/24
      hosts:
        {BOARD}: {{maie_address: 10.213.94.42}}
        {PLAIN}: {{maie_address: 10.213.94.43, virtual_host_kind: x86}}
    jetson:
      hosts:
        {BOARD}:
        {PLAIN}:
    x86: {{}}
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A virtual Jetson, and a plain host that somebody has put into the group of the Jetsons."""
    path = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    path.write_text(INVENTORY)
    made = play("playbooks/virtual.yml", inventory=path)
    assert made.returncode == 0, made.stdout
    yield path
    remove(path)


def shell(command: str, host: str = BOARD) -> str:
    return docker("exec", host, "bash", "-ec", command).strip()


def snapshot(host: str = BOARD) -> set[str]:
    done = subprocess.run(
        ["docker", "exec", "-i", host, "python3", "-"],
        input=SNAPSHOT.read_text(), text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    lines = set(done.stdout.splitlines())
    assert len(lines) > 500
    return lines


def boot(faults: dict[str, Any]) -> None:
    """Script the board's faults, everything else as it should be, and start it anew."""
    text = json.dumps({"l4t_release": "36.4.3", **faults})
    shell(f"cat >/etc/maie-virtual/faults.yml <<<'{text}'")
    docker("kill", BOARD)  # nothing here needs an orderly end, which takes longer
    docker("start", BOARD)
    docker("exec", BOARD, "/usr/lib/maie-virtual/up", "60")


def tune(inventory: Path, *arguments: str, host: str = BOARD, playbook: str = "tune") -> Play:
    return play(f"playbooks/{playbook}.yml", "--limit", host, *WITHOUT, *arguments, inventory=inventory)


def put_back(inventory: Path) -> None:
    back = tune(inventory, playbook="untune")
    assert back.returncode == 0, back.stdout


def told(done: Play) -> str:
    """Return what the play printed as one line, whatever it was wrapped to and however coloured."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).split())


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"l4t_release": "36.4.7"}, "has L4T 36.4.7 (JetPack 6.2.1): large CUDA allocations fail on it; apt brings"),
        ({"mixed_bsp": True}, "come from 36.4.3 and 36.4.7"),
        ({"not_super": True}, "This board was flashed without the super configuration"),
        ({"not_super": "relinked"}, "This board was flashed without the super configuration"),
        ({"root_on_sd": True}, "would lie on /dev/mmcblk0p1, an SD card: swap is slow"),
    ],
    ids=["36.4.7", "mixed", "not super", "not super, relinked", "SD"],
)
def test_a_board_that_is_not_right_is_left_alone(inventory: Path, faults: dict[str, Any], message: str) -> None:
    boot(faults)
    before = snapshot()
    done = tune(inventory)
    assert done.returncode != 0
    assert message in told(done)
    assert snapshot() == before


def test_a_host_that_is_no_jetson_is_skipped(inventory: Path) -> None:
    before = snapshot(PLAIN)
    done = tune(inventory, host=PLAIN)
    assert done.returncode == 0, done.stdout
    assert f"{PLAIN} is no Jetson: /etc/nv_tegra_release is missing" in told(done)
    assert recap(done.stdout, PLAIN)["changed"] == 0
    assert snapshot(PLAIN) == before


def test_a_profile_that_needs_cuda_is_refused_without_it(inventory: Path) -> None:
    boot({})
    checked = play("playbooks/preflight.yml", "--limit", BOARD, "-e", "maie_profile=jetson", inventory=inventory)
    assert checked.returncode != 0
    assert f"{BOARD} shall run the profile jetson and has no CUDA" in told(checked)
    # It is installed on a board that is tuned already.
    tuned = tune(inventory, "--check", "-e", "maie_profile=jetson")
    assert tuned.returncode == 0, tuned.stdout


def test_a_full_disk_is_refused(inventory: Path) -> None:
    boot({"disk_full": "/srv"})
    before = snapshot()
    done = tune(inventory, "-e", "jetson_tune_swap_file=/srv/maie.swap")
    assert done.returncode != 0
    assert f"/srv of {BOARD} has 0 MiB free and the swap file takes 64." in told(done)
    assert snapshot() == before
    boot({"disk_full": True})
    checked = play("playbooks/preflight.yml", "--limit", BOARD, inventory=inventory)
    assert checked.returncode != 0
    assert f"/opt on {BOARD} has 0 MiB free; a release, its models and its data need" in told(checked)


def test_a_mode_without_effect_is_found_out_and_put_back(inventory: Path) -> None:
    boot({"mode_without_effect": True})
    before = snapshot()
    done = tune(inventory)
    assert done.returncode != 0
    assert "nvpmodel reports the mode MAXN_SUPER, but it has no effect: the GPU allows 918 MHz" in told(done)
    put_back(inventory)
    assert snapshot() == before


def test_a_first_run_that_was_killed_is_put_back(inventory: Path) -> None:
    boot({})
    before = snapshot()
    running = subprocess.Popen(
        ["ansible-playbook", "-i", str(inventory), "playbooks/tune.yml", "--limit", BOARD, *WITHOUT],
        cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while "maie.swap" not in shell("cat /etc/fstab"):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert snapshot() != before
    # A run after it finds the board changed already, and must not take that for what was there.
    assert tune(inventory).returncode == 0
    put_back(inventory)
    assert snapshot() == before
    again = tune(inventory, playbook="untune")
    assert recap(again.stdout, BOARD)["changed"] == 0
    assert "was never tuned, or everything has been put back already" in told(again)


def test_clocks_and_services_are_as_they_were_set_after_each_boot(inventory: Path) -> None:
    def pinned() -> bool:
        return "FreqOverride=1" in shell("jetson_clocks --show | grep ^EMC")

    def service() -> list[str]:
        return shell(f"systemctl is-enabled {SERVICE} || true; systemctl is-active {SERVICE} || true").split()

    boot({})
    before = snapshot()
    assert (service(), pinned()) == (["enabled", "active"], False)
    done = tune(inventory)
    assert done.returncode == 0, done.stdout
    for faults in ({}, {"gpu_stuck": True}):
        boot(faults)
        assert shell(f"systemctl is-active {CLOCKS}") == "active"
        assert (service(), pinned()) == (["disabled", "inactive"], True)
    again = tune(inventory)
    assert recap(again.stdout, BOARD)["changed"] == 0, again.stdout
    assert f"The GPU of {BOARD} runs at 625 MHz, although its clocks are pinned and MAXN_SUPER allows 1020" in told(
        again
    )
    boot({})
    shell(f"systemctl stop {CLOCKS}")
    assert not pinned()
    assert tune(inventory).returncode == 0
    assert pinned()
    put_back(inventory)
    assert snapshot() == before


def test_a_dry_run_tells_of_everything(inventory: Path) -> None:
    """And the release that apt delivers today is taken."""
    boot({"l4t_release": "36.5.2"})
    before = snapshot()
    dry = tune(inventory, "--check", "-e", json.dumps({"jetson_tune_jtop": True}))
    assert dry.returncode == 0, dry.stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", dry.stdout)
    for task in (
        "Report that the clocks would be pinned",
        "Rename it to its final name",
        "Enable it now",
        "Disable it now",
        "Disable those that can't be masked",
        "Write the kernel's memory settings, for every boot",
        "Set them now",
        "Restart the journal, so that the limit takes effect",
        "Report what would be installed",
        "Report that jtop's service would be started",
    ):
        results = plain.partition(f"TASK [jetson_tune : {task}]")[2].partition("TASK [")[0]
        assert f"changed: [{BOARD}]" in results, task
    assert snapshot() == before


def test_what_a_killed_run_left_to_do_is_done(inventory: Path) -> None:
    def since(unit: str) -> int:
        return int(shell(f"systemctl show --property=ActiveEnterTimestampMonotonic --value {unit}"))

    boot({})
    before = snapshot()
    done = tune(inventory)
    assert done.returncode == 0, done.stdout
    units = {CLOCKS: f"/etc/systemd/system/{CLOCKS}", "systemd-journald": "/etc/systemd/journald.conf.d/zz-maie.conf"}
    started = {unit: since(unit) for unit in units}
    # As after a run that wrote the files and did no more.
    shell(f"touch {' '.join(units.values())}; sysctl -qw vm.swappiness=77")
    again = tune(inventory)
    assert again.returncode == 0, again.stdout
    assert all(since(unit) > was for unit, was in started.items())
    assert shell("sysctl -n vm.swappiness") == "10"
    assert recap(tune(inventory).stdout, BOARD)["changed"] == 0
    put_back(inventory)
    assert snapshot() == before


def test_a_mode_that_needs_a_reboot_gets_one(inventory: Path) -> None:
    def boot_id() -> str:
        return shell("cat /proc/sys/kernel/random/boot_id")

    boot({"mode_needs_reboot": "MAXN_SUPER"})
    before, first = snapshot(), boot_id()
    waiting = tune(inventory, "-e", "jetson_tune_reboot=never")
    assert waiting.returncode == 0, waiting.stdout
    assert "takes the power mode MAXN_SUPER at its next boot" in told(waiting)
    assert (boot_id(), shell(f"cat {GPU_LIMIT}")) == (first, "918000000")

    restarts = int(docker("inspect", "--format", "{{.RestartCount}}", BOARD))
    done = tune(inventory)
    assert done.returncode == 0, done.stdout
    assert boot_id() != first
    assert int(docker("inspect", "--format", "{{.RestartCount}}", BOARD)) == restarts + 1
    assert "NV Power Mode: MAXN_SUPER" in shell("nvpmodel -q")
    assert shell(f"cat {GPU_LIMIT}") == "1020000000"

    second = boot_id()
    again = tune(inventory)
    assert recap(again.stdout, BOARD)["changed"] == 0
    assert boot_id() == second

    put_back(inventory)
    assert boot_id() != second
    assert snapshot() == before
