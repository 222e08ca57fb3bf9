"""Ansible module: record a host's state before it is changed, and restore it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from ansible.module_utils import kept, kept_things  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kept_state
short_description: Records files, units and settings before a role changes them, and restores them
description:
  - C(kept) records the state of each named thing before anything is changed. What has been recorded once is never
    recorded again; new names are added. The record is written completely or not at all.
  - C(restored) restores everything, compares, and removes the folder. Without a record it does nothing.
  - C(read) only returns the record.
options:
  folder:
    description: Folder of the record. C(restored) removes it with its contents.
    type: path
    required: true
  state:
    description: What to do.
    type: str
    choices: [kept, read, restored]
    required: true
  files:
    description: Files and links, recorded with content, owner and mode; they may be absent.
    type: list
    elements: path
    default: []
  made:
    description: Files and folders of which only the existence is recorded, to remove those that did not exist.
    type: list
    elements: path
    default: []
  units:
    description: systemd units, recorded with whether they run and what enables or masks them.
    type: list
    elements: str
    default: []
  sysctls:
    description: Kernel settings.
    type: list
    elements: str
    default: []
  holds:
    description: Packages, recorded with whether they are held at their version.
    type: list
    elements: str
    default: []
  swaps:
    description: Swap areas that may come into use. Those in use are recorded too.
    type: list
    elements: path
    default: []
  groups:
    description: Groups of which the existence is recorded, to remove those that did not exist.
    type: list
    elements: str
    default: []
  notes:
    description: What else to record, for the caller.
    type: dict
    default: {}
  reread:
    description: For C(restored), units among C(units) that are stopped while files are restored.
    type: list
    elements: str
    default: []
  swap_unit:
    description: >-
      For C(restored), the unit that sets up swap areas which don't survive a boot. It is started if an area that was in
      use is missing.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Record what this role changes
  kept_state:
    folder: /var/lib/example
    state: kept
    files: [/etc/fstab]
"""

RETURN = r"""
exists:
  description: Whether a record exists.
  returned: always
  type: bool
notes:
  description: The caller's notes.
  returned: always
  type: dict
different:
  description: What differs, or differed, from the record.
  returned: for state=read and state=restored
  type: list
"""

LISTS = {"files": "path", "made": "path", "units": "str", "sysctls": "str", "holds": "str", "swaps": "path"}
LISTS |= {"groups": "str", "reread": "str"}


def as_text(value: Any) -> str:
    """Return a recorded value in readable form."""
    if isinstance(value, dict) and "content" in value:
        content = base64.b64decode(value["content"]).decode("utf-8", "replace")
        return f"mode {value['mode']:04o}, owner {value['uid']}:{value['gid']}\n{content}"
    return "" if value is None else json.dumps(value, sort_keys=True) + "\n"


def keep(module: AnsibleModule, folder: Path, before: kept.Record | None) -> dict[str, Any]:
    """Record what is not recorded yet."""
    wanted = kept_things.complete({name: module.params[name] for name in LISTS if name != "reread"})
    record, added = kept.keep(kept_things.KINDS, wanted, module.params["notes"], before)
    changed = bool(added) or before is None
    if changed and not module.check_mode:
        kept.store(folder, record)
    return {
        "changed": changed,
        "exists": before is not None or not module.check_mode,
        "notes": record.notes,
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in added), "after_header": "newly kept"},
    }


def restore(module: AnsibleModule, folder: Path, record: kept.Record) -> dict[str, Any]:
    """Restore everything, or report what differs."""
    if module.params["state"] == "read" or module.check_mode:
        found = kept.differences(kept_things.KINDS, record)
    else:
        found = kept_things.restore(record, module.params["reread"], module.params["swap_unit"])
        kept.forget(folder)
    return {
        "changed": module.params["state"] == "restored",
        "exists": True,
        "notes": record.notes,
        "different": [f"{each.kind}: {each.name}" for each in found],
        "diff": [
            {
                "before_header": f"{each.kind}: {each.name}",
                "after_header": f"{each.kind}: {each.name}",
                "before": as_text(each.now),
                "after": as_text(each.then),
            }
            for each in found
        ],
    }


def main() -> None:
    """Run as an Ansible module."""
    lists = {name: {"type": "list", "elements": elements, "default": []} for name, elements in LISTS.items()}
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["kept", "read", "restored"], "required": True},
            "notes": {"type": "dict", "default": {}},
            "swap_unit": {"type": "str", "default": ""},
            **lists,
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["folder"])
    try:
        before = kept.load(folder)
        if module.params["state"] == "kept":
            module.exit_json(**keep(module, folder, before))
        elif before is None:
            module.exit_json(changed=False, exists=False, notes={}, different=[], diff=[])
        module.exit_json(**restore(module, folder, before))
    except (kept.KeptError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
