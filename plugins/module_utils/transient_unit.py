"""Long programs in transient units of systemd, which outlive a lost connection, with a log that can be followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import journal  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

PROPERTIES = "ActiveState,SubState,Result,ExecMainStatus"
PIECE = 1 << 20
"""Most bytes of a log that are read at once."""


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
    """Start a program, in the place of one that has ended; return why it could not be started, empty if it was.

    Args:
        module: The module that runs; its ``seconds`` limit the program's time.
        unit: Name of the unit.
        command: The program and its arguments.
        log: File that what it prints is appended to.
        folder: Folder to run in.
        options: More options of ``systemd-run``.
    """
    # One that ended while nobody followed it stays until here.
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
    # Programs look at both, and a service has neither.
    run += ["--setenv=HOME=/root", "--setenv=LANG=C.UTF-8", *options, "--", *command]
    status, _, said = module.run_command(run)
    return str(said).strip() or f"status {status}" if status != 0 else ""


def forget(module: AnsibleModule, unit: str) -> None:
    """Take the ended unit off systemd's list."""
    module.run_command(["systemctl", "stop", unit])
    module.run_command(["systemctl", "reset-failed", unit])


def follow(module: AnsibleModule, unit: str, log: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the unit's properties, and what the log has gained since the module's ``offset``.

    The second is ``text``, the ``offset`` after it, and whether the program has ``finished``, all of its log read; the
    unit is forgotten then.
    """
    # The state first: what is written between the two is in the log then.
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
