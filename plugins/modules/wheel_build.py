"""Ansible module: build a wheel in a systemd unit, with a log to follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils import (
    build_log,  # type: ignore[attr-defined]
    transient_unit,  # type: ignore[attr-defined]
)
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wheel_build
short_description: Builds a wheel step by step, shows its progress, explains its failure
description:
  - Runs the steps of C(plan.json) in a transient systemd unit, so that a build survives a lost connection and an
    interrupted play. When the unit is still running, nothing is started and the build is followed to its end.
  - The next run resumes a killed build in the same folder, with what it had compiled.
  - An action plugin of the same name follows the log and prints the progress on the control node.
options:
  name: {description: 'Name of the wheel, before each displayed line.', type: str, required: true}
  folder: {description: 'Folder of the build, with C(plan.json) and the programs.', type: path, required: true}
  seconds: {description: Time after which the build is stopped., type: int, default: 86400}
  stage:
    description: Used by the action plugin; C(start), then C(follow) from C(offset) on until C(finished).
    type: str
    choices: [start, follow]
    default: start
  offset: {description: Byte of the log from which to continue., type: int, default: 0}
"""

EXAMPLES = r"""
- name: Build it
  wheel_build:
    name: ctranslate2
    folder: /var/cache/maie-build/ctranslate2-0a1b2c3d4e5f
"""

RETURN = r"""
result:
  description: The build's record - C(wheel), C(sha256), C(steps) with their seconds, C(peak_mb), C(proof).
  returned: when it succeeded
  type: dict
"""

EXPLAINED = 1 << 18
"""Bytes at the end of a log that are searched for the cause of a failure."""


def start(module: AnsibleModule, unit: str, folder: Path) -> None:
    """Start the build unless it is running or has succeeded."""
    log = folder / "build.log"
    offset = log.stat().st_size if log.exists() else 0
    if transient_unit.at_work(module, unit):
        module.exit_json(changed=True, offset=max(0, offset - transient_unit.PIECE), attached=True)
    if (folder / "result.json").exists():
        module.exit_json(changed=True, finished=True, failure="", result=read_result(folder))
    command = ["/usr/bin/python3", str(folder / "run_build.py"), str(folder)]
    # When compilers exhaust the memory, they should be killed before anything the machine needs.
    options = ("--property=OOMScoreAdjust=500", "--property=Nice=5")
    failure = transient_unit.start(module, unit, command, log, str(folder), options)
    if failure:
        module.fail_json(msg=f"The build of {module.params['name']} could not be started: {failure}")
    module.exit_json(changed=True, offset=offset, attached=False)


def follow(module: AnsibleModule, unit: str, folder: Path) -> None:
    """Return the new part of the log and, once the build has ended, its result."""
    now, answer = transient_unit.follow(module, unit, folder / "build.log")
    if answer["finished"]:
        answer["failure"] = judge(module, now, folder)
        answer["result"] = {} if answer["failure"] else read_result(folder)
    module.exit_json(changed=True, **answer)


def read_result(folder: Path) -> dict[str, Any]:
    """Return the build's record."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def judge(module: AnsibleModule, now: dict[str, str], folder: Path) -> str:
    """Return what went wrong; empty for nothing."""
    if now["Result"] == "timeout":
        return f"It did not end within {module.params['seconds']} s and was stopped; what was compiled is kept."
    if (folder / "result.json").exists() and now["Result"] == "success":
        return ""
    failed = folder / "failed.json"
    if not failed.exists():
        return "It was stopped on the builder, or the builder went down. Run again to resume."
    step = json.loads(failed.read_text())
    with (folder / "build.log").open("rb") as log:
        log.seek(max(step["offset"], log.seek(0, 2) - EXPLAINED))
        sentence: str = build_log.explain(step["name"], log.read().decode("utf-8", "replace"))
    return sentence


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "seconds": {"type": "int", "default": 86400},
            "stage": {"type": "str", "choices": ["start", "follow"], "default": "start"},
            "offset": {"type": "int", "default": 0},
        },
        supports_check_mode=False,
    )
    folder = Path(module.params["folder"])
    (start if module.params["stage"] == "start" else follow)(module, f"maie-build-{folder.name}.service", folder)


if __name__ == "__main__":
    main()
