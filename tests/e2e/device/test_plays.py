"""The playbooks against a whole device: what `--check` leaves alone, and what the curl of the plan gets."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from audiofiles import SAMPLE
from virtual import ADDRESS, FINAL, PROJECT, Device, docker, of_the_machine, play, recap

pytestmark = pytest.mark.device


def test_check_on_a_bare_device_changes_nothing(bare_device: str) -> None:
    before = docker("diff", bare_device)
    checked = play("site.yml", "--check", "--diff")
    assert checked.returncode == 0, checked.stdout
    assert recap(checked.stdout)["failed"] == 0
    # Ansible itself leaves an empty folder for its temporary files, and nothing else.
    left = set(docker("diff", bare_device).splitlines()) - set(before.splitlines())
    assert not {line for line in left if ".ansible" not in line and line != "C /root"}, left


def test_second_run_changes_nothing(device: Device, machine_before: dict[str, str]) -> None:
    again = play("site.yml")
    assert again.returncode == 0, again.stdout
    counts = recap(again.stdout)
    assert (counts["changed"], counts["failed"]) == (0, 0), again.stdout
    assert of_the_machine() == machine_before


def test_curl_of_the_plan(device: Device) -> None:
    def curl(*arguments: str) -> str:
        key = (PROJECT / ".secrets/api-key").read_text().strip()
        command = ["curl", "-sS", "--cacert", ".secrets/ca/ca.pem", "-H", f"X-API-Key: {key}", *arguments]
        return subprocess.run(command, cwd=PROJECT, check=True, text=True, capture_output=True, timeout=60).stdout

    base = f"https://{ADDRESS}:8000/v1"
    body, code = curl("-w", "\n%{http_code}", "-X", "POST", f"{base}/process", "-F", f"file=@{SAMPLE}").rsplit("\n", 1)
    assert code == "202", body
    task_id = json.loads(body)["task_id"]
    deadline = time.monotonic() + 60
    while (task := json.loads(curl(f"{base}/status/{task_id}")))["status"] not in FINAL:
        assert time.monotonic() < deadline, task
        time.sleep(0.5)
    assert task["status"] == "COMPLETE"
    assert task["results"]["raw_transcript"]
    assert task["results"]["segments"]
    assert task["metrics"]["rtf"] > 0


def test_units_are_sandboxed(device: Device) -> None:
    for unit in ("maie-api", "maie-worker", "maie-redis"):
        report = device.shell(f"systemd-analyze security --no-pager {unit}.service | tail -n 1")
        exposure = float(report.split(":")[1].split()[0])
        assert exposure <= 2.0, report
