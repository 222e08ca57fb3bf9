"""Ansible module: put a Jetson into a power mode, and make sure that it is in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible.module_utils import jetson  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: nvpmodel
short_description: Sets the power mode of a Jetson by its name
description:
  - Finds the mode in the board's own nvpmodel configuration, since ids differ between boards and JetPack releases.
  - Asks for the current mode first, sets only what differs, and afterwards compares the clock that the GPU really
    allows with the mode's, since a board without the super configuration reports a mode that it does not reach.
  - Never answers the program's question for a reboot. A mode that needs one is kept for the next boot, and
    C(reboot_required) is true.
options:
  mode:
    description: Name of the mode (C(MAXN_SUPER), C(25W)) or, as a number, its id on this board.
    type: str
    required: true
  clocks_unit:
    description: >-
      systemd unit that pins the clocks, if there is one. Pinned clocks are released before a change and pinned anew
      after it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take the most that the board gives
  nvpmodel:
    mode: MAXN_SUPER
"""

RETURN = r"""
mode:
  description: Name and id of the mode that holds now, or after the reboot.
  returned: always
  type: dict
gpu_limit_hz:
  description: The clock that the GPU allows now.
  returned: when it can be read
  type: int
reboot_required:
  description: Whether the mode holds from the next boot only.
  returned: always
  type: bool
"""

CONF = Path("/etc/nvpmodel.conf")
BOOT_CONTROL = Path("/etc/nv_boot_control.conf")
STATUS = Path("/var/lib/nvpmodel/status")
NOT_SUPER = (
    "This board was flashed without the super configuration: flash it with jetson-orin-nano-devkit-super to get the "
    "25W and MAXN_SUPER modes."
)


def run(*command: str) -> str:
    """Return all that a program prints, whatever its exit status: nvpmodel's says little."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def read(path: Path) -> str:
    """Return a file's text, empty if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def gpu_limit(models: jetson.PowerModels) -> int | None:
    """Return the clock in hertz that the GPU allows now, or None where it can't be read."""
    texts = (read(Path(path)).strip() for path in models.gpu_limit_paths)
    return next((int(text) for text in texts if text.isdigit()), None)


def not_super() -> str:
    """Return the sentence that the board lacks the super configuration, empty unless the board itself says so."""
    tnspec = jetson.parse_tnspec(read(BOOT_CONTROL))
    return NOT_SUPER if jetson.flashed_super(tnspec, []) is False else ""


def find_mode(module: AnsibleModule, models: jetson.PowerModels, wanted: str) -> jetson.PowerModel:
    """Return the wanted mode; fail where the board has none of that name, or has it in name only."""
    model = models.find(wanted)
    if model is None:
        lack = f"There is no power mode {wanted!r} on this board; it has {models.describe()}."
        module.fail_json(msg=f"{lack} {not_super()}".strip())
    if model.name.upper().endswith("_SUPER") and not_super():
        module.fail_json(msg=f"This board would report {model.name} without reaching it. {not_super()}")
    return model


def check_limit(module: AnsibleModule, models: jetson.PowerModels, model: jetson.PowerModel) -> int | None:
    """Return the GPU's limit; fail if it is not the mode's."""
    real = gpu_limit(models)
    problem = jetson.limit_problem(models, model, real) if real is not None else None
    if problem:
        module.fail_json(
            msg=f"nvpmodel reports {model.name}, but {problem}. Was the board flashed with the super configuration?",
            gpu_limit_hz=real,
        )
    return real


def unit_is_active(unit: str) -> bool:
    """Whether systemd has this unit running."""
    return bool(unit) and run("systemctl", "is-active", unit).strip() == "active"


def set_mode(model: jetson.PowerModel, clocks_unit: str) -> str:
    """Ask nvpmodel for the mode, with the clocks released meanwhile; return what it printed."""
    pinned = unit_is_active(clocks_unit)
    if pinned:
        run("systemctl", "stop", clocks_unit)
    try:
        return run("nvpmodel", "-m", str(model.id))
    finally:
        if pinned:
            run("systemctl", "start", clocks_unit)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"mode": {"type": "str", "required": True}, "clocks_unit": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    models = jetson.parse_power_models(read(CONF))
    if not models.models:
        module.fail_json(msg=f"{CONF} defines no power mode; this is not a Jetson, or NVIDIA's packages are not whole.")
    model = find_mode(module, models, module.params["mode"])
    printed = run("nvpmodel", "-q")
    current = jetson.parse_current_mode(printed)
    if current is None:
        module.fail_json(msg=f"'nvpmodel -q' names no mode: {printed.strip()}")
    result = {
        "changed": current[0] != model.id,
        "mode": {"id": model.id, "name": model.name},
        "reboot_required": False,
        "diff": {"before": f"power mode: {current[1]}\n", "after": f"power mode: {model.name}\n"},
    }
    if not result["changed"]:
        module.exit_json(**result, gpu_limit_hz=check_limit(module, models, model))
    if jetson.parse_persisted_mode(read(STATUS)) == model.id:
        result |= {"changed": False, "reboot_required": True}
        module.exit_json(**result, gpu_limit_hz=gpu_limit(models))
    if module.check_mode:
        module.exit_json(**result, gpu_limit_hz=gpu_limit(models))

    printed = set_mode(model, module.params["clocks_unit"])
    if jetson.asks_for_reboot(printed):
        STATUS.parent.mkdir(parents=True, exist_ok=True)
        STATUS.write_text(jetson.persist_mode(read(STATUS), model.id), encoding="utf-8")
        result["reboot_required"] = True
        module.exit_json(**result, gpu_limit_hz=gpu_limit(models))
    after = jetson.parse_current_mode(run("nvpmodel", "-q"))
    if after is None or after[0] != model.id:
        is_now = after[1] if after else "unknown"
        module.fail_json(msg=f"nvpmodel did not take the mode {model.name}; it is {is_now} now: {printed.strip()}")
    module.exit_json(**result, gpu_limit_hz=check_limit(module, models, model))


if __name__ == "__main__":
    main()
