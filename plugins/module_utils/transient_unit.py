"""Long-running programs in transient systemd units, which survive a lost connection, with a log to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import journal  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

PROPERTIES = "ActiveState,SubState,Result,ExecMainStatus"
PIECE = 1 << 20
"""Most bytes of a log to read at once."""


def state(module: AnsibleModule, unit: str) -> dict[str, str]:
    """Return the unit's properties."""
    _, shown, _ = module.run_command(["systemctl", "show", f"--property={PROPERTIES}", unit], check_rc=True)
    properties: dict[str, str] = journal.parse_properties(shown)
    return properties


def at_work(module: AnsibleModule, unit: str) -> bool:
    """Return whether the program is running."""
    return state(module, unit)["SubState"] in ("start", "running")


def start(
    module: AnsibleModule, unit: str, command: list[str], log: Path, folder: str, options: tuple[str, ...] = ()
) -> str:
    """Start a program, replacing one that has ended; return why it could not be started, empty if it was.

    Args:
        module: The running module; its ``seconds`` limit the program's time.
        unit: Name of the unit.
        command: The program and its arguments.
        log: File to which its output is appended.
        folder: Folder to run in.
        options: More options of ``systemd-run``.
    """
    # A unit that ended while nobody followed it stays until here.
    forget(module, unit)
    properties = [f"StandardOutput=append:{log}", f"StandardError=append:{log}", f"WorkingDirectory={folder}"]
    properties.append(f"RuntimeMaxSec={module.params['seconds']}")
    run = [
        "systemd-run",
        "--quiet",
        f"--unit={unit}",
        "--remain-after-exit",
        *(f"--property={it}" for it in properties),
    ]
    # Programs need both, and a service has neither.
    run += ["--setenv=HOME=/root", "--setenv=LANG=C.UTF-8", *options, "--", *command]
    status, _, said = module.run_command(run)
    return str(said).strip() or f"status {status}" if status != 0 else ""


def forget(module: AnsibleModule, unit: str) -> None:
    """Remove the ended unit from systemd's list."""
    module.run_command(["systemctl", "stop", unit])
    module.run_command(["systemctl", "reset-failed", unit])


def follow(module: AnsibleModule, unit: str, log: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the unit's properties, and the new part of the log since the module's ``offset``.

    The second has ``text``, the ``offset`` after it, and whether the program has ``finished`` with its log fully read;
    the unit is then forgotten.
    """
    # The state first: the log read afterwards then has everything written before that state.
    now = state(module, unit)
    gained, size = b"", 0
    if log.exists():
        with log.open("rb") as file:
            file.seek(module.params["offset"])
            gained = file.read(PIECE)
        size = log.stat().st_size
    offset = module.params["offset"] + len(gained)
    finished = now["SubState"] in ("exited", "failed", "dead") and offset >= size
    if finished:
        forget(module, unit)
    return now, {"text": gained.decode("utf-8", "replace"), "offset": offset, "finished": finished}
