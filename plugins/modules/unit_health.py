"""Ansible module: whether systemd units are up, and what errors they logged."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils import journal, releases  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: unit_health
short_description: Reads whether systemd units are up and what errors they logged
description:
  - Changes nothing and fails only if systemd can't be asked.
options:
  units:
    description: Names of the units.
    type: list
    elements: str
    required: true
  since:
    description: >-
      Errors count from this time, in seconds since the epoch. Errors before a unit's present start never count.
    type: int
    default: 0
  credentials_dir:
    description: >-
      Folder of the units' secrets. A secret that has changed since the unit started is listed under
      C(stale_credentials).
    type: path
    default: ""
  release_root:
    description: >-
      Folder of the releases. An environment of the live release that was put in its place after the unit started, whose
      programs run from files that are gone, is listed under C(stale_environments).
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Read the state of the units
  unit_health:
    units: [maie-api.service, maie-worker.service]
"""

RETURN = r"""
units:
  description: >-
    For each unit C(name), C(active), C(state), C(restarts), C(errors), C(stale_credentials) and C(stale_environments).
  returned: always
  type: list
"""

PROPERTIES = "ActiveState,SubState,NRestarts,InvocationID,InactiveExitTimestampMonotonic"


def stale_credentials(unit: str, folder: str) -> list[str]:
    """Return the names of the unit's secrets that have changed since it started."""
    given = Path("/run/credentials") / unit
    if not folder or not given.is_dir():
        return []
    sources = ((secret, Path(folder) / secret.name) for secret in sorted(given.iterdir()))
    return [
        secret.name for secret, source in sources if source.is_file() and source.read_bytes() != secret.read_bytes()
    ]


def stale_environments(root: str, started: float) -> list[str]:
    """Return the environments of the live release that are younger than a unit, which started at this monotonic time.

    Ages are compared and not times: a board without a battery starts with a wrong clock.
    """
    live = releases.read_links(Path(root)).current if root else ""
    try:
        named = releases.environments_of(Path(root), live) if live else []
    except releases.ReleaseError:
        named = []
    folders = [folder for folder in (Path(root) / "environments" / name for name in named) if folder.is_dir()]
    unit_age = time.monotonic() - started
    return [folder.name for folder in folders if 0 <= time.time() - folder.stat().st_ctime < unit_age]


def unit_health(module: AnsibleModule, unit: str) -> dict[str, Any]:
    """Return the state of one unit and the errors of its running invocation."""
    _, shown, _ = module.run_command(["systemctl", "show", f"--property={PROPERTIES}", unit], check_rc=True)
    properties = journal.parse_properties(shown)
    found: list[str] = []
    if properties.get("InvocationID"):
        command = ["journalctl", "--output=json", "--no-pager", "--quiet", f"--since=@{module.params['since']}"]
        _, entries, _ = module.run_command(
            [*command, f"_SYSTEMD_INVOCATION_ID={properties['InvocationID']}"], check_rc=True
        )
        found = journal.errors(entries)
    return {
        "name": unit,
        "active": properties.get("ActiveState") == "active",
        "state": f"{properties.get('ActiveState', 'unknown')} ({properties.get('SubState', 'unknown')})",
        "restarts": int(properties.get("NRestarts") or 0),
        "errors": found,
        "stale_credentials": stale_credentials(unit, module.params["credentials_dir"]),
        "stale_environments": stale_environments(
            module.params["release_root"], int(properties.get("InactiveExitTimestampMonotonic") or 0) / 1e6
        ),
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "since": {"type": "int", "default": 0},
            "credentials_dir": {"type": "path", "default": ""},
            "release_root": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    units = [unit_health(module, unit) for unit in module.params["units"]]
    module.exit_json(changed=False, units=units)


if __name__ == "__main__":
    main()
