"""Ansible module: write down what a host is like before it is changed, and put it back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from ansible.module_utils import kept, kept_things  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kept_state
short_description: Keeps what files, units and settings were before a role changes them, and puts it back
description:
  - C(kept) writes down how each named thing is, before anything is changed. A thing that has been written down once is
    never written down again; names that are new are added. The record is written whole or not at all.
  - C(restored) makes every thing what it was, compares, and removes the folder. It does nothing where nothing was kept.
  - C(read) only returns what is there.
options:
  folder:
    description: Folder of the record. C(restored) removes it with all that is in it.
    type: path
    required: true
  state:
    description: What to do.
    type: str
    choices: [kept, read, restored]
    required: true
  files:
    description: Files and links, kept with content, owner and mode; they may be absent.
    type: list
    elements: path
    default: []
  made:
    description: Files and folders of which only is kept whether they are there, to remove them if they were not.
    type: list
    elements: path
    default: []
  units:
    description: systemd units, of which is kept whether they run and what enables or masks them.
    type: list
    elements: str
    default: []
  sysctls:
    description: Kernel settings.
    type: list
    elements: str
    default: []
  holds:
    description: Packages, of which is kept whether they are held at their version.
    type: list
    elements: str
    default: []
  swaps:
    description: Swap areas that may come into use. Those in use are kept too.
    type: list
    elements: path
    default: []
  groups:
    description: Groups of which is kept whether they are there, to remove them if they were not.
    type: list
    elements: str
    default: []
  notes:
    description: What else to write down, for the caller.
    type: dict
    default: {}
  reread:
    description: For C(restored), units among C(units) that are stopped while files are put back.
    type: list
    elements: str
    default: []
  swap_unit:
    description: >-
      For C(restored), the unit that sets up swap areas which don't outlive a boot. It is started if an area that was in
      use is missing.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Keep what this role changes
  kept_state:
    folder: /var/lib/example
    state: kept
    files: [/etc/fstab]
"""

RETURN = r"""
exists:
  description: Whether there is a record.
  returned: always
  type: bool
notes:
  description: What the caller wrote down.
  returned: always
  type: dict
different:
  description: What is not, or was not, as it was kept.
  returned: for state=read and state=restored
  type: list
"""

LISTS = {"files": "path", "made": "path", "units": "str", "sysctls": "str", "holds": "str", "swaps": "path"}
LISTS |= {"groups": "str", "reread": "str"}


def as_text(value: Any) -> str:
    """Return a kept value as a person reads it."""
    if isinstance(value, dict) and "content" in value:
        content = base64.b64decode(value["content"]).decode("utf-8", "replace")
        return f"mode {value['mode']:04o}, owner {value['uid']}:{value['gid']}\n{content}"
    return "" if value is None else json.dumps(value, sort_keys=True) + "\n"


def keep(module: AnsibleModule, folder: Path, before: kept.Record | None) -> dict[str, Any]:
    """Write down what is not written down yet."""
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
    """Put everything back, or say what differs."""
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
