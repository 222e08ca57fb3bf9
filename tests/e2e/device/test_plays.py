"""The playbooks against a whole device: what `--check` leaves alone, and what a client gets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.audiofiles import SAMPLE
from support.virtual import (
    ADDRESS,
    FINAL,
    NAME,
    PROJECT,
    Device,
    DryRun,
    of_the_machine,
    play,
    recap,
)

pytestmark = pytest.mark.device


def test_check_on_a_bare_device_changes_nothing(dry_run: DryRun) -> None:
    assert dry_run.play.returncode == 0, dry_run.play.stdout
    assert recap(dry_run.play.stdout)["failed"] == 0
    # Reading leaves something too: Ansible an empty folder for its temporary files, apt its index of the lists.
    of_reading = re.compile(r"[AC] (/root(/\.ansible(/tmp)?)?|/var/cache(/apt(/(pkg|srcpkg)cache\.bin)?)?)")
    assert not {line for line in dry_run.left if not of_reading.fullmatch(line)}


def test_the_machine_is_as_it_was(device: Device, machine_before: dict[str, str]) -> None:
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


def test_the_command_that_the_demo_prints(device: Device) -> None:
    command = [sys.executable, PROJECT / "scripts/transcribe", f"https://{ADDRESS}:8000"]
    audio = PROJECT / "files/audio/natural-short.wav"
    done = subprocess.run([*command, audio], check=True, text=True, capture_output=True, timeout=120)
    assert "we buy the new printer" in " ".join(done.stdout.split())
    refused = subprocess.run([*command, PROJECT / "README.md"], check=False, text=True, capture_output=True, timeout=60)
    assert (refused.returncode, "not_audio" in refused.stderr) == (1, True)


def test_a_sample_in_a_language_that_the_model_has_not(device: Device, tmp_path: Path) -> None:
    esperanto = tmp_path / "reference.json"
    esperanto.write_text(json.dumps({"language": "eo", "verbatim": "Bonan matenon."}))
    done = play("playbooks/smoke.yml", "-e", f"smoke_reference={esperanto}")
    assert done.returncode != 0
    advice = "the sample is in eo: set a sample in a language of the model with smoke_audio and smoke_reference"
    assert advice in " ".join(done.stdout.split())
    result = json.loads((PROJECT / f"artifacts/smoke/{NAME}.json").read_text())
    assert [check["name"] for check in result["checks"] if not check["ok"]] == ["language of the sample"]


@pytest.mark.parametrize("reference", ["no file", '{"verbatim": "Hello."}'])
def test_a_reference_that_is_none_is_refused_before_anything_is_changed(
    device: Device, tmp_path: Path, reference: str
) -> None:
    path = tmp_path / "reference.json"
    if reference.startswith("{"):
        path.write_text(reference)
    done = play("playbooks/deploy.yml", "-e", f"smoke_reference={path}")
    assert done.returncode != 0
    assert f"a reference, {path}: JSON with the language" in " ".join(done.stdout.split())
    assert recap(done.stdout)["changed"] == 0


def test_units_are_sandboxed(device: Device) -> None:
    for unit in ("maie-api", "maie-worker", "maie-redis"):
        report = device.shell(f"systemd-analyze security --no-pager {unit}.service | tail -n 1")
        exposure = float(report.split(":")[1].split()[0])
        assert exposure <= 2.0, report
