"""A device without a way out is installed from the bundle alone; a wheel that was built takes the index's place.

The language model's server runs there as a unit, from an environment of its own. In the order of a fleet's life: the
wheel is missing; the first release, resident; its server stopped by its sandbox, or killed; another wheel and another
residency; back.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import built_wheels
from support.audiofiles import SAMPLE
from support.llm_unit import ENGINE, LlmUnit, Victim
from support.processes import wait_for
from support.virtual import FINAL, PROJECT, Device, Play, play, recap, remove

pytestmark = [pytest.mark.device, pytest.mark.timeout(1200)]

INVENTORY = PROJECT / "tests/e2e/device/bundle/hosts.yml"
DEVICE = Device("jetson-e2e-03", "10.213.96.23")
UNIT = LlmUnit(DEVICE)
shell = DEVICE.shell
WHEELS = {"maie_wheels": {"ctranslate2": "newest"}, "bundle_locks": ["x86_64-cp311", "x86_64-cp311-vllm"]}
SERVER = {"maie_llm_backend": "openai", "maie_llm_start_seconds": 30, "maie_settings": {"llm_residency": "resident"}}
ASKED = {"features": "clean_transcript,summary", "template_id": "meeting_notes_v1"}
VLLM_LOCK = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"


def text_of(done: Play) -> str:
    return " ".join(done.stdout.split())


def environment() -> str:
    """Return the environment that the live release names."""
    manifest = json.loads(shell("cat /opt/maie/current/manifest.json"))
    return str(manifest["llm_environment"]["id"])


def version(folder: str, package: str) -> str:
    """Return the version of a package that the Python of an environment or a release finds."""
    return shell(f"{folder}/bin/python -c 'from importlib.metadata import version; print(version(\"{package}\"))'")


def notes() -> Any:
    """Return the notes that the last smoke test got, which was content."""
    smoke = json.loads((PROJECT / f"artifacts/smoke/{DEVICE.name}.json").read_text())
    assert smoke["ok"], smoke
    assert smoke["clean_transcript"]
    return smoke["notes"]


@dataclass(frozen=True)
class Fleet:
    """A fresh device, and folders of the control node for it."""

    locks: Path
    wheelhouse: Path
    bundle: Path

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Play:
        """Run a playbook with the variables of this fleet and others."""
        usual = {"maie_lock_dir": str(self.locks), **WHEELS, **SERVER}
        return play(playbook, "-e", json.dumps(usual | variables), *arguments, inventory=INVENTORY)

    def deploy(self, *arguments: str, **variables: Any) -> Play:
        return self.play("playbooks/deploy.yml", *arguments, **variables)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    made = Fleet(folder / "locks", folder / "house", folder / "bundle")
    made.locks.mkdir()
    for lock in ("x86_64-cp311.txt", "bootstrap.txt"):
        shutil.copy(PROJECT / "requirements" / lock, made.locks)
    (made.locks / "x86_64-cp311-vllm.txt").write_text(VLLM_LOCK)
    done = play("playbooks/virtual.yml", inventory=INVENTORY)
    assert done.returncode == 0, done.stdout
    yield made
    remove(INVENTORY)


def test_a_server_without_its_wheel_is_refused_before_anything_is_changed(fleet: Fleet, tmp_path: Path) -> None:
    built_wheels.publish(built_wheels.ctranslate2(tmp_path), fleet.wheelhouse)
    refused = fleet.deploy(wheelhouse_dir=str(fleet.wheelhouse))
    assert refused.returncode != 0
    assert "has no vllm for jetson-e2e-03" in text_of(refused)
    assert "Build it with playbooks/build.yml" in text_of(refused)
    assert recap(refused.stdout, DEVICE.name)["changed"] == 0
    assert shell("ls -d /opt/maie /etc/maie 2>/dev/null || echo nothing") == "nothing"


def test_installed_without_a_way_out(fleet: Fleet, tmp_path: Path) -> None:
    built_wheels.publish(built_wheels.vllm(tmp_path, "0.11.0+first"), fleet.wheelhouse)
    make = {"wheelhouse_dir": str(fleet.wheelhouse), "bundle_dir": str(fleet.bundle)}
    listed = fleet.play("playbooks/bundle.yml", "--check", **make)
    assert listed.returncode == 0, listed.stdout
    assert not fleet.bundle.exists()
    assert re.search(r"wheels of x86_64-cp311: \d+ files, [\d.]+ MB", listed.stdout), listed.stdout
    made = fleet.play("playbooks/bundle.yml", **make)
    assert made.returncode == 0, made.stdout
    assert re.search(r"packages of jetson-e2e-03: \d+ files, [\d.]+ MB", made.stdout), made.stdout
    shell("ip route show default >/root/way-out && ip route del default")

    done = fleet.deploy(maie_bundle=str(fleet.bundle))
    assert done.returncode == 0, done.stdout
    manifest = json.loads(shell("cat /opt/maie/current/manifest.json"))
    sha256 = next((fleet.wheelhouse / "ctranslate2").iterdir()).name
    assert [(built["name"], built["sha256"]) for built in manifest["built"]] == [("ctranslate2", sha256)]
    assert f"+{built_wheels.LOCAL}" in version("/opt/maie/current/venv", "ctranslate2")
    assert sha256 in shell(f"cat /opt/maie/environments/{manifest['environment']}/requirements.txt")

    # The server runs from an environment that is not the release's, and the smoke test's tasks went through it.
    assert UNIT.started() == {"maie-llm.service"}
    folder = f"/opt/maie/environments/{environment()}"
    assert folder in shell("tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value maie-llm)/cmdline")
    assert version(folder, "vllm") == "0.11.0+first"
    assert notes() == json.loads(built_wheels.NOTES.read_text())
    # Nobody else of the host can speak to it.
    knock = """python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/maie/llm.sock")'"""
    assert shell(f"runuser -u maie -- {knock} && echo let in") == "let in"
    assert shell(f"runuser -u nobody -- {knock} 2>&1 | tail -n 1") == "PermissionError: [Errno 13] Permission denied"

    again = fleet.deploy(maie_bundle=str(fleet.bundle))
    assert recap(again.stdout, DEVICE.name)["changed"] == 0, again.stdout
    # Nothing of this could have come from an index.
    assert shell("ip route get 192.0.2.1 2>/dev/null || echo no way out") == "no way out"

    # A bit that has changed is told before anything is done.
    archive = next((fleet.bundle / "wheels").glob("x86_64-cp311-[!v]*.tar"))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    flipped = fleet.deploy(maie_bundle=str(fleet.bundle))
    assert flipped.returncode != 0
    assert f"./wheels/{archive.name}: FAILED" in text_of(flipped)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (
            ("RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"),
            "Address family not supported",
        ),
        (("MemoryDenyWriteExecute=yes",), "Operation not permitted|Permission denied"),
        (("PrivateDevices=yes",), "/dev/nvmap is hidden"),
        (("InaccessiblePaths=/dev/shm",), "in Semaphore"),
        (("ReadOnlyPaths=/var/lib/maie-llm",), "Read-only file system"),
    ],
    ids=["interfaces", "compiled_code", "devices", "shared_memory", "folders"],
)
def test_a_sandbox_that_would_stop_vllm_stops_the_double(fleet: Fleet, refused: tuple[str, ...], told: str) -> None:
    """The first of these is the unit as it once was: no real vLLM started under it, and each test was green."""
    since = shell("date '+%F %T'")
    with UNIT.directives(*refused):
        assert shell("systemctl restart maie-llm 2>/dev/null && echo started || echo failed") == "failed"
        assert shell("cut -d' ' -f1 /run/maie/llm-failed") == "exit-code"
    log = shell(f"journalctl --unit=maie-llm --output=cat --since='{since}'")
    assert re.search(told, log), log
    assert shell("systemctl is-active maie-llm; ls /run/maie/llm-failed 2>/dev/null || true") == "active"


@pytest.mark.parametrize("victim", ["main", "engine"])
def test_a_crash_of_the_server_costs_no_task_its_notes(fleet: Fleet, victim: Victim) -> None:
    """The unit needs longer to be back than three retries take."""
    UNIT.kill(victim)
    task = DEVICE.wait(DEVICE.submit(SAMPLE, **ASKED), FINAL, 120)
    assert (task["status"], task["warnings"]) == ("COMPLETE", []), task
    assert task["results"]["summary"]
    assert list(UNIT.processes().values()).count(ENGINE) == 1


def no_speech_engine_beside_a_server_s_last_process() -> None:
    """Server and worker are killed, and the server's engine lives on: its lock is free, and the GPU is not."""
    shell("touch /var/lib/maie-llm/outlives")
    task_id = DEVICE.submit(SAMPLE, **ASKED)
    DEVICE.wait(task_id, {"PROCESSING_LLM"}, 60)
    # Not for the unit's own probe: by then the worker may have had its answers.
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/run/maie/llm.sock')"
    shell(f'until python3 -c "{connect}" 2>/dev/null; do sleep 0.05; done')
    started = "journalctl --unit=maie-worker --output=cat | grep --count 'engine process is ready'"
    UNIT.kill("main")
    UNIT.kill("worker")
    before = shell(started)
    time.sleep(10)
    assert shell("flock --nonblock /run/maie/gpu.lock echo free") == "free"
    assert (ENGINE in UNIT.processes().values(), shell(started)) == (True, before)
    shell("rm /var/lib/maie-llm/outlives")
    task = DEVICE.wait(task_id, FINAL, 120)
    assert (task["status"], task["warnings"]) == ("COMPLETE", [])
    wait_for(lambda: not UNIT.processes(), 60, "end of the server, which nobody needs any more", interval=0.5)


def test_a_release_goes_back_to_its_own_environment(fleet: Fleet, tmp_path: Path) -> None:
    shell("ip route add $(cat /root/way-out)")
    first = environment()
    made_at = shell(f"stat --format=%y /opt/maie/environments/{first}/.complete")
    shell("mkdir /opt/maie/environments/000000000000")
    built_wheels.publish(built_wheels.vllm(tmp_path, "0.11.0+second"), fleet.wheelhouse, day=2)
    swap = {"maie_settings": {"llm_residency": "swap"}, "wheelhouse_dir": str(fleet.wheelhouse)}
    done = fleet.deploy(**swap)
    assert done.returncode == 0, done.stdout
    second = environment()
    service = json.loads(shell("cat /opt/maie/current/manifest.json"))["environment"]
    assert set(shell("ls /opt/maie/environments").split()) == {first, second, service}

    # The worker has the server started and stopped by root's path units, and no more than these wait now.
    assert notes() == json.loads(built_wheels.NOTES.read_text())
    assert UNIT.started() == {"maie-llm.path", "maie-llm-stop.path"}
    # systemd says that it has started only after a probe, and by then a quick one may have done all that was wanted.
    told = shell("journalctl --unit=maie-llm.service --output=cat | grep -E '^(Starting|Stopped) ' | tail -n 2")
    assert [line.split()[0] for line in told.splitlines()] == ["Starting", "Stopped"]

    no_speech_engine_beside_a_server_s_last_process()

    back = fleet.play("rollback.yml")
    assert back.returncode == 0, back.stdout
    assert environment() == first != second
    assert shell(f"stat --format=%y /opt/maie/environments/{first}/.complete") == made_at
    assert UNIT.started() == {"maie-llm.service"}
    assert first in shell("tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value maie-llm)/cmdline")
    assert notes() == json.loads(built_wheels.NOTES.read_text())


def test_a_server_that_starts_again_and_again_is_stopped_with_the_service(fleet: Fleet) -> None:
    """As after a first installation whose server does not start; the target that it is part of never was."""
    UNIT.write_drop_in("PrivateDevices=yes")
    shell("systemctl restart maie-llm 2>/dev/null || true; systemctl stop maie.target maie-worker maie-api")
    shell("systemctl start maie-llm 2>/dev/null || true")
    stop = ["ansible", DEVICE.name, "-i", str(INVENTORY), "--become", "-m", "ansible.builtin.include_role"]
    subprocess.run([*stop, "-a", "name=maie tasks_from=stop"], cwd=PROJECT, check=True, timeout=120)
    assert shell("systemctl is-active maie-llm || true") in ("inactive", "failed")
