"""The virtual devices of tests/e2e/device: the playbooks against them, a shell on them, a client of their API."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ansible_runner
import httpx
import yaml

PROJECT = Path(__file__).parents[2]
INVENTORY = PROJECT / "tests/e2e/device/inventory"
NAME = "jetson-e2e-01"
ADDRESS = "10.213.91.21"
MEETING = PROJECT / "files/audio/natural-meeting"
SHIPPED_SMOKE_TEST = (
    "-e",
    json.dumps({"smoke_audio": f"{MEETING}.wav", "smoke_reference": f"{MEETING}.json", "smoke_max_rtf": 1.0}),
)
"""The smoke test as the project ships it: the whole meeting, and a bound on the time that it takes."""
FINAL = {"COMPLETE", "FAILED", "CANCELLED"}


@dataclass(frozen=True)
class Play:
    """What a run of a playbook printed and its exit status."""

    stdout: str
    returncode: int


@dataclass(frozen=True)
class DryRun:
    """What a dry run of ``site.yml`` printed, and the lines of ``docker diff`` that are there since."""

    play: Play
    left: set[str]


def play(playbook: str, *arguments: str, inventory: Path = INVENTORY, seconds: int = 600) -> Play:
    """Run a playbook against the devices of an inventory."""
    output, _, status = ansible_runner.run_command(
        "ansible-playbook",
        cmdline_args=["-i", str(inventory), playbook, *arguments],
        host_cwd=str(PROJECT),
        quiet=True,
        timeout=seconds,
    )
    return Play(output, status)


def recap(output: str, name: str = NAME) -> dict[str, int]:
    """Return the counts of a device's line in a play recap."""
    line = re.findall(rf"^{name} +: (.*)$", re.sub(r"\x1b\[[0-9;]*m", "", output), re.MULTILINE)[-1]
    return {key: int(count) for key, count in re.findall(r"(\w+)=(\d+)", line)}


def docker(*arguments: str) -> str:
    """Run a Docker command and return what it prints."""
    return subprocess.run(["docker", *arguments], check=True, text=True, capture_output=True, timeout=120).stdout


def remove(inventory: Path = INVENTORY) -> None:
    """Remove an inventory's virtual hosts and their network: a play takes longer, and has a test of its own."""
    content = yaml.safe_load((inventory / "hosts.yml" if inventory.is_dir() else inventory).read_text())
    network = content["all"]["children"]["virtual"]["vars"]["virtual_host_network"]
    if hosts := docker("ps", "--all", "--quiet", "--filter", f"network={network}").split():
        docker("rm", "--force", "--volumes", *hosts)
    if found := docker("network", "ls", "--quiet", "--filter", f"name=^{network}$").split():
        docker("network", "rm", *found)


def of_the_machine() -> dict[str, str]:
    """What a virtual device shares with the machine that it runs on."""
    shared = ["/proc/swaps", *map(str, Path("/proc/sys/vm").glob("*swap*")), "/proc/sys/vm/overcommit_memory"]
    return {path: Path(path).read_text() for path in shared}


class Device:
    """A provisioned device: a shell on it, and a client of its API."""

    def __init__(self, name: str = NAME, address: str = ADDRESS) -> None:
        self.name, self._address = name, address

    @cached_property
    def api(self) -> httpx.Client:
        """The client; the key and the certificate's authority are there once the device is provisioned."""
        key = (PROJECT / ".secrets/api-key").read_text().strip()
        return httpx.Client(
            base_url=f"https://{self._address}:8000",
            headers={"X-API-Key": key},
            verify=ssl.create_default_context(cafile=PROJECT / ".secrets/ca/ca.pem"),
            timeout=30,
        )

    def shell(self, command: str) -> str:
        """Run a command on the device as root and return what it prints."""
        return docker("exec", self.name, "bash", "-ec", command).strip()

    def submit(self, audio: Path, **fields: Any) -> str:
        """Post audio with form fields, again while the queue or the service is not there; return the task's id."""
        deadline = time.monotonic() + 120
        while True:
            try:
                with audio.open("rb") as content:
                    answer = self.api.post("/v1/process", files={"file": content}, data=fields)
                if answer.status_code == 202:
                    return str(answer.json()["task_id"])
                assert answer.status_code in (429, 503), answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the device took no task for two minutes"
            time.sleep(0.5)

    def status(self, task_id: str) -> dict[str, Any] | None:
        """Return the task, or None while the API does not answer."""
        try:
            answer = self.api.get(f"/v1/status/{task_id}")
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def ready(self) -> dict[str, Any] | None:
        """Return what ``/ready`` says, or None while the API does not answer."""
        try:
            answer: dict[str, Any] = self.api.get("/ready").json()
        except httpx.TransportError:
            return None
        return answer

    def wait(self, task_id: str, reached: set[str], seconds: float) -> dict[str, Any]:
        """Return the task as soon as its status is one of ``reached``."""
        deadline = time.monotonic() + seconds
        task: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            task = self.status(task_id)
            if task and task["status"] in reached:
                return task
            time.sleep(0.1)
        raise AssertionError(f"task {task_id} did not reach {sorted(reached)} in {seconds} s: {task}")
