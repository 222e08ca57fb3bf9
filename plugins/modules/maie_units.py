"""Ansible module: link the systemd units and settings of the current release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible.module_utils import durable  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_units
short_description: Links the systemd units and settings of the current release
description:
  - The links lead through C(current), also the one that starts the service at boot, since C(systemctl enable) would
    write the path of one release, which will be removed one day.
  - In check mode, without a current release, the units are unknown and the result is C(changed).
options:
  root:
    description: Folder with C(current), whose C(systemd) holds the units and C(maie.env) the settings.
    type: path
    default: /opt/maie
  units_dir:
    description: systemd's folder of units.
    type: path
    default: /etc/systemd/system
  settings:
    description: The link to the settings.
    type: path
    default: /etc/maie/maie.env
"""

EXAMPLES = r"""
- name: Link the systemd units of the current release
  maie_units:
"""

RETURN = r"""
linked:
  description: The links that were missing or led elsewhere.
  returned: always
  type: list
starts:
  description: The units that the current release starts, in order, without Redis'.
  returned: always
  type: list
"""

REDIS = "maie-redis.service"


def links(root: Path, units_dir: Path, settings: Path) -> dict[Path, Path]:
    """Return the required links and their targets."""
    units = root / "current/systemd"
    found = {units_dir / path.name: units / path.name for path in sorted(units.glob("maie*"))}
    found[units_dir / "multi-user.target.wants/maie.target"] = units / "maie.target"
    found[settings] = root / "current/maie.env"
    return found


def starts(root: Path) -> list[str]:
    """Return the units that the target of the current release wants."""
    target = root / "current/systemd/maie.target"
    wants = re.search(r"^Wants=(.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if target.is_file() else None
    return [unit for unit in wants[1].split() if unit != REDIS] if wants else []


def point(link: Path, target: Path) -> None:
    """Replace a link, or a file in its place, in one step."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    durable.sync(link.parent)


def run(root: Path, units_dir: Path, settings: Path, check_mode: bool) -> dict[str, Any]:
    """Set the links and return the module's result."""
    wanted = links(root, units_dir, settings)
    wrong = {link: to for link, to in wanted.items() if not (link.is_symlink() and link.readlink() == to)}
    for link, target in wrong.items() if not check_mode else ():
        point(link, target)
    return {"changed": bool(wrong), "linked": [str(link) for link in wrong], "starts": starts(root)}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/maie"},
            "units_dir": {"type": "path", "default": "/etc/systemd/system"},
            "settings": {"type": "path", "default": "/etc/maie/maie.env"},
        },
        supports_check_mode=True,
    )
    folders = (Path(module.params[name]) for name in ("root", "units_dir", "settings"))
    try:
        module.exit_json(**run(*folders, module.check_mode))
    except OSError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
