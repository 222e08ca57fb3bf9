"""A play in which every case is a host of its own on this machine: one process for all of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
    """What became of one host.

    Attributes:
        failed: Whether a task failed.
        said: The messages of its tasks, as one line.
    """

    failed: bool
    said: str


def play(
    folder: Path, tasks: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], **environment: str
) -> dict[str, Told]:
    """Run tasks on all hosts, each with its variables; return by host what became of it.

    Args:
        folder: For playbook and inventory.
        tasks: As in a playbook.
        hosts: By name, the variables.
        environment: More of it, or another one.
    """
    own = {"ansible_connection": "local"}
    inventory = {"all": {"hosts": {name: {**own, **variables} for name, variables in hosts.items()}}}
    (folder / "hosts.json").write_text(json.dumps(inventory))
    (folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    settings = {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(
        ["ansible-playbook", "-i", str(folder / "hosts.json"), str(folder / "play.yml")],
        cwd=PROJECT,
        env={**os.environ, **settings, **environment},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    output = json.loads(done.stdout)
    results = [task["hosts"] for play in output["plays"] for task in play["tasks"]]
    return {
        host: Told(
            output["stats"][host]["failures"] > 0,
            " ".join(" ".join(str(told[host].get("msg", "")) for told in results if host in told).split()),
        )
        for host in hosts
    }
