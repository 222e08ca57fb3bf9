"""Ansible module: set a Jetson's power mode, and verify that it took effect."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils import jetson, nvpmodel_conf  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.system_reader import SystemReader  # type: ignore[import-not-found]

DOCUMENTATION = r"""
module: nvpmodel
short_description: Sets the power mode of a Jetson by its name
description:
  - Finds the mode in the board's own nvpmodel configuration, since ids differ between boards and JetPack releases.
  - Asks for the current mode first and sets only a different one. A mode that is reported but not in effect is set
    again.
  - Afterwards compares the real limits of GPU and memory with the mode's. If they differ, the previous mode is restored
    and the module fails.
  - Refuses, before changing anything, a mode that the board would report without reaching it because it was flashed
    without the super configuration.
  - Never confirms the program's question about a reboot. A mode that needs one is stored for the next boot, and
    C(reboot_required) is true until then.
options:
  mode:
    description: Name of the mode (C(MAXN_SUPER), C(25W)) or, as a number, its id on this board.
    type: str
    required: true
  clocks_unit:
    description: >-
      systemd unit that pins the clocks, if there is one. Pinned clocks are released before a change and pinned again
      after it.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Set the fastest power mode
  nvpmodel:
    mode: MAXN_SUPER
"""

RETURN = r"""
before:
  description: C(id) and C(name) of the mode that nvpmodel reported before.
  returned: on success
  type: dict
after:
  description: C(id) and C(name) of the mode in effect now or, with C(reboot_required), from the next boot on.
  returned: on success
  type: dict
gpu_limit_hz:
  description: The GPU clock limit now.
  returned: when it can be read
  type: int
emc_limit_hz:
  description: The memory clock limit now; 0 where there is none.
  returned: when it can be read
  type: int
reboot_required:
  description: Whether the mode takes effect only at the next boot.
  returned: on success
  type: bool
"""

ROOT = Path("/")
CONF = "/etc/nvpmodel.conf"
STATUS = "/var/lib/nvpmodel/status"
# nvpmodel reports its stored mode, in effect or not. A mode that waits for a boot is noted where a boot clears it.
WAITING = "/run/maie-nvpmodel"
TIMEOUT = 120
NOT_SUPER = (
    "This board was flashed without the super configuration: flash it with jetson-orin-nano-devkit-super to get the "
    "25W and MAXN_SUPER modes."
)
SUPER_MODES = {"25W", "40W", "MAXN_SUPER"}
HAS_SUPER = {"orin-nano", "orin-nx"}


class Refused(Exception):
    """Why the mode can't be set, as a sentence for the operator."""


def execute(*command: str) -> tuple[int, str]:
    """Return a program's exit status and output. It never gets any input."""
    # Into a file, since a pipe stays open as long as any child of the program runs.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as printed:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            ).returncode
        except FileNotFoundError:
            raise Refused(f"{command[0]} is not installed; NVIDIA's packages are incomplete.") from None
        except subprocess.TimeoutExpired:
            raise Refused(f"'{' '.join(command)}' did not end within {TIMEOUT} s; reboot the board.") from None
        printed.seek(0)
        return status, printed.read()


def run(*command: str) -> str:
    """Return a program's output, whatever its exit status: nvpmodel's says little."""
    return execute(*command)[1]


class Board:
    """The board, read from its files and nvpmodel."""

    def __init__(self) -> None:
        self.read = SystemReader(ROOT)
        self.models = nvpmodel_conf.parse_power_models(self.read.text(CONF))
        if not self.models.models:
            raise Refused(f"{CONF} defines no power mode; this is not a Jetson, or NVIDIA's packages are incomplete.")

    def current(self) -> tuple[int, str]:
        """Return id and name of the mode that nvpmodel reports."""
        printed = run("nvpmodel", "-q")
        current = nvpmodel_conf.parse_current_mode(printed)
        if current is None:
            raise Refused(f"'nvpmodel -q' names no mode: {printed.strip()}")
        return current

    def limits(self) -> nvpmodel_conf.Limits:
        """Return the real limits of GPU and memory now."""

        def first(paths: tuple[str, ...]) -> int | None:
            return next((number for number in map(self.read.number, paths) if number is not None), None)

        tables = (self.read.text(path).split() for path in self.models.gpu_table_paths)
        table = next((table for table in tables if table), [])
        ceiling = max((int(step) for step in table if step.isdigit()), default=None)
        return nvpmodel_conf.Limits(first(self.models.gpu_limit_paths), first(self.models.emc_limit_paths), ceiling)

    def lacks_super(self) -> bool:
        """Whether this board could have been flashed with the super configuration but was not."""
        compatible = jetson.parse_device_tree_strings(self.read.raw("/sys/firmware/devicetree/base/compatible"))
        tnspec = jetson.parse_tnspec(self.read.text("/etc/nv_boot_control.conf"))
        family = jetson.family_of(jetson.module_of(tnspec, compatible))
        return family in HAS_SUPER and jetson.flashed_super(tnspec, compatible) is False

    def find(self, wanted: str) -> nvpmodel_conf.PowerModel:
        """Return the wanted mode; refuse one that the board lacks, or has in name only."""
        model = self.models.find(wanted)
        if model is None:
            why = NOT_SUPER if wanted.upper() in SUPER_MODES and self.lacks_super() else ""
            raise Refused(f"There is no power mode {wanted!r} on this board; it has {self.models.describe()}. {why}")
        limits = self.limits()
        if model.name.upper().endswith("_SUPER") and self.lacks_super():
            raise Refused(f"This board would report {model.name} without reaching it. {NOT_SUPER}")
        lacking = nvpmodel_conf.gpu_lacks(self.models, model, limits)
        if lacking:
            raise Refused(
                f"This board would report {model.name} without reaching it: its GPU reaches only "
                f"{limits.gpu_ceiling_hz / 1e6:.0f} MHz, the mode {lacking / 1e6:.0f} MHz. {NOT_SUPER}"
            )
        return model

    def problem(self, model: nvpmodel_conf.PowerModel) -> str | None:
        """Return what is wrong with the real limits under this mode, or None."""
        return nvpmodel_conf.limit_problem(self.models, model, self.limits())

    def kept(self) -> int | None:
        """Return the id of the mode that the next boot sets, None where none was ever set."""
        return nvpmodel_conf.parse_persisted_mode(self.read.text(STATUS))

    def waits(self, reported_id: int, mode_id: int) -> bool:
        """Whether this mode takes effect only at the next boot."""
        return self.kept() == mode_id and (reported_id != mode_id or self.read.number(WAITING) == mode_id)

    def holds(self, reported_id: int, model: nvpmodel_conf.PowerModel) -> bool:
        """Whether the mode is reported, in effect and stored."""
        return reported_id == model.id and self.kept() in (None, model.id) and self.problem(model) is None

    def keep_for_boot(self, mode_id: int) -> None:
        """Store this mode for the next boot."""
        for path, text in (
            (STATUS, nvpmodel_conf.persist_mode(self.read.text(STATUS), mode_id)),
            (WAITING, f"{mode_id}\n"),
        ):
            self.read.path(path).parent.mkdir(parents=True, exist_ok=True)
            self.read.path(path).write_text(text, encoding="utf-8")

    def is_in(self, mode: tuple[int, str]) -> bool:
        """Whether the board reports a mode and really is in it."""
        model = self.models.find(str(mode[0]))
        return self.current() == mode and (model is None or self.problem(model) is None)

    def put_back(self, mode: tuple[int, str], status: str) -> str:
        """Restore the previous mode and the content of :data:`STATUS`; return a sentence with the outcome."""
        if not self.is_in(mode):
            run("nvpmodel", "-m", str(mode[0]))
        if status:
            self.read.path(STATUS).write_text(status, encoding="utf-8")
        else:
            self.read.path(STATUS).unlink(missing_ok=True)
        if self.is_in(mode):
            return f"The board is in its previous mode {mode[1]} again."
        return f"Its previous mode {mode[1]} could not be restored; reboot the board."


def pinned(unit: str) -> bool:
    """Whether the unit that pins the clocks is running."""
    return bool(unit) and run("systemctl", "is-active", unit).strip() == "active"


def release_clocks(unit: str) -> None:
    """Stop the unit that pins the clocks; a mode set over pinned clocks does not change them."""
    if execute("systemctl", "stop", unit)[0] != 0:
        raise Refused(f"{unit}, which pins the clocks, could not be stopped: see 'systemctl status {unit}'.")


def pin_clocks(unit: str) -> str:
    """Restart the unit; return a sentence if that fails."""
    if execute("systemctl", "start", unit)[0] == 0:
        return ""
    return f"{unit}, which pins the clocks, could not be started again: see 'systemctl status {unit}'."


def change(board: Board, model: nvpmodel_conf.PowerModel, before: tuple[int, str]) -> bool:
    """Set the mode; return whether it needs a reboot. Raises Refused after restoring the previous mode."""
    status = board.read.text(STATUS)
    printed = run("nvpmodel", "-m", str(model.id))
    if nvpmodel_conf.asks_for_reboot(printed):
        board.keep_for_boot(model.id)
        return True
    after = board.current()
    failure, problem = nvpmodel_conf.failure_of(printed), board.problem(model)
    if after[0] == model.id and failure is None and problem is None:
        board.read.path(WAITING).unlink(missing_ok=True)
        return False
    if after[0] != model.id:
        said = "; ".join(printed.splitlines())
        why = f"nvpmodel did not accept the mode {model.name} and reports {after[1]}; it said {said!r}."
    elif failure is not None:
        why = f"nvpmodel reports the mode {model.name}, but it said {failure!r}. Reboot the board and try again."
    else:
        why = (
            f"nvpmodel reports the mode {model.name}, but it has no effect: {problem}. Reboot the board and try again."
        )
    raise Refused(why if before[0] == model.id else f"{why} {board.put_back(before, status)}")


def bring_about(module: AnsibleModule, result: dict[str, Any]) -> None:
    """Fill in the result; raises Refused."""
    board = Board()
    model = board.find(module.params["mode"])
    before = board.current()
    waits = board.waits(before[0], model.id)
    result |= {
        "changed": not waits and not board.holds(before[0], model),
        "reboot_required": waits,
        "before": {"id": before[0], "name": before[1]},
        "after": {"id": model.id, "name": model.name},
        "diff": {"before": f"power mode: {before[1]}\n", "after": f"power mode: {model.name}\n"},
    }
    if result["changed"] and not module.check_mode:
        unit = module.params["clocks_unit"]
        released = pinned(unit)
        if released:
            release_clocks(unit)
        try:
            result["reboot_required"] = change(board, model, before)
        except (Refused, OSError) as reason:
            raise Refused(f"{reason} {pin_clocks(unit) if released else ''}") from reason
        if released and (problem := pin_clocks(unit)):
            raise Refused(f"The mode is {model.name} now, but {problem}")
    limits = board.limits()
    result |= {"gpu_limit_hz": limits.gpu_hz, "emc_limit_hz": limits.emc_hz}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"mode": {"type": "str", "required": True}, "clocks_unit": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    result: dict[str, Any] = {}
    try:
        bring_about(module, result)
    except Refused as reason:
        module.fail_json(msg=str(reason).strip(), changed=False)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
