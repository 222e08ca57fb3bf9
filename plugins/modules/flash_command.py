"""Ansible module: run a long program of the flash tools as a systemd unit, with a log to follow."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils import (
    flash,  # type: ignore[attr-defined]
    transient_unit,  # type: ignore[attr-defined]
)
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: flash_command
short_description: Runs a long program, shows its steps while it runs, keeps its log, explains its failure
description:
  - Runs the program as a transient systemd unit, so that it survives a lost connection or an interrupted play. When
    the unit is still running, nothing is started and the running one is followed to its end.
  - An action plugin of the same name follows the log and prints the steps on the control node.
  - In check mode nothing is started and the command is returned.
options:
  argv:
    description: The program and its arguments.
    type: list
    elements: str
    required: true
  name:
    description: Names the unit, C(jetson-flash-<name>.service), and precedes each displayed step.
    type: str
    required: true
  log:
    description: File for the program's output. It is overwritten.
    type: path
    required: true
  chdir:
    description: Folder to run in.
    type: path
    default: /
  success:
    description: Regular expression that the log of a successful program matches.
    type: str
    default: ""
  seconds:
    description: Time after which the program is stopped.
    type: int
    default: 3600
  stage:
    description: Used by the action plugin; C(start), then C(follow) from C(offset) on until C(finished).
    type: str
    choices: [start, follow]
    default: start
  offset:
    description: Byte of the log from which to continue.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Flash the board
  flash_command:
    name: jetson-001
    argv: [./flash.sh, --usb-instance, "1-2", jetson-orin-nano-devkit-super, internal]
    chdir: /var/lib/jetson-flash/36.4.3/Linux_for_Tegra
    log: /var/log/jetson-flash/jetson-001.log
    success: has been flashed successfully
"""

RETURN = r"""
command:
  description: The command as typed in a shell.
  returned: always
  type: str
log:
  description: The log on the host.
  returned: always
  type: str
seconds:
  description: How long the program ran, as the control node saw it.
  returned: when it ran
  type: float
"""


def start(module: AnsibleModule, unit: str) -> None:
    """Start the program unless its unit is still running."""
    if transient_unit.at_work(module, unit):
        module.exit_json(changed=True, attached=True)
    log = Path(module.params["log"])
    log.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    log.write_bytes(b"")
    program, *arguments = module.params["argv"]
    folder = module.params["chdir"]
    # systemd-run resolves a relative path against its own folder.
    command = [str(Path(folder, program)) if "/" in program else program, *arguments]
    failure = transient_unit.start(module, unit, command, log, folder, ("--setenv=USER=root",))
    if failure:
        module.fail_json(msg=f"{program} could not be started: {failure}")
    module.exit_json(changed=True, attached=False)


def follow(module: AnsibleModule, unit: str) -> None:
    """Return the new part of the log and, once the program has ended, its result."""
    log = Path(module.params["log"])
    now, result = transient_unit.follow(module, unit, log)
    if result["finished"]:
        result["failure"] = judge(module, now, log.read_bytes().decode("utf-8", "replace"))
    module.exit_json(changed=True, **result)


def judge(module: AnsibleModule, now: dict[str, str], log: str) -> str:
    """Return a sentence for what went wrong; empty for nothing."""
    if now["Result"] == "timeout":
        return f"It did not end within {module.params['seconds']} s and was stopped. {flash.explain(log)}"
    if now["SubState"] == "dead":
        return "It was stopped on the flashing host, or the host went down. Run the playbook again."
    if now["Result"] != "success" or not flash.succeeded(log, module.params["success"]):
        sentence: str = flash.explain(log)
        return sentence
    return ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "name": {"type": "str", "required": True},
            "log": {"type": "path", "required": True},
            "chdir": {"type": "path", "default": "/"},
            "success": {"type": "str", "default": ""},
            "seconds": {"type": "int", "default": 3600},
            "stage": {"type": "str", "choices": ["start", "follow"], "default": "start"},
            "offset": {"type": "int", "default": 0},
        },
        supports_check_mode=False,
    )
    unit = f"jetson-flash-{module.params['name']}.service"
    (start if module.params["stage"] == "start" else follow)(module, unit)


if __name__ == "__main__":
    main()
