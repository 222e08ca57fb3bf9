"""Ansible module: fetch a model to the control node, once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.downloads import Refused
from ansible.module_utils.model_hub import File, Record, ask, fetch, read_record, write_record
from ansible.module_utils.sums import sha256

DOCUMENTATION = r"""
module: model_fetch
short_description: Fetches a model to the control node, once
description:
  - What is there already is not fetched again, what was cut off is resumed, and every file is held to its size and
    SHA-256.
  - The first download of a model is recorded, with the commit that it came from; from then on nothing else is taken.
options:
  name:
    description: Name of the model's folder.
    type: str
    required: true
  hub:
    description: Address of the hub.
    type: str
    required: true
  repository:
    description: The model on the hub.
    type: str
    required: true
  revision:
    description: Branch, tag or commit that is taken at the first download.
    type: str
    default: main
  files:
    description: Patterns of the names of the files that are needed.
    type: list
    elements: str
    required: true
  folder:
    description: Where models lie, each in a folder of its own with its C(SHA256SUMS).
    type: path
    required: true
  lock:
    description: The file of records.
    type: path
    required: true
  attempts:
    description: How often a connection that breaks is tried again.
    type: int
    default: 5
author: MAIE on Jetson contributors
"""

EXAMPLES = r"""
- name: Fetch the speech model
  model_fetch:
    name: EraX-WoW-Turbo-V1.1-CT2
    hub: https://hub.example.org
    repository: erax-ai/EraX-WoW-Turbo-V1.1-CT2
    files: ["*.json", model.bin]
    folder: models
    lock: models.lock.json
"""

RETURN = r"""
recorded:
  description: Whether this was the first download, whose sums count from now on.
  type: bool
  returned: success
commit:
  description: The commit that the files come from.
  type: str
  returned: success
"""

PAUSE_SECONDS = 2


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "hub": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "files": {"type": "list", "elements": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "lock": {"type": "path", "required": True},
            "attempts": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**obtain(module.params, module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))


def obtain(wanted: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Have the model there, and return what the module tells.

    Raises:
        Refused: It can't be had, or is not what was recorded.
    """
    folder, lock = Path(wanted["folder"]) / wanted["name"], Path(wanted["lock"])
    known = read_record(lock, wanted["name"])
    if known is not None and (known.repository, known.revision) != (wanted["repository"], wanted["revision"]):
        raise Refused(
            f"{lock} has {wanted['name']} from {known.repository} at {known.revision}, but wanted is "
            f"{wanted['repository']} at {wanted['revision']}. Remove the record to take the other one."
        )
    if known is not None and _is_complete(folder, known):
        return {"changed": False, "recorded": False, "commit": known.commit}
    if check_mode:
        return {"changed": True, "recorded": False, "commit": known.commit if known else ""}
    record = known or ask(wanted["hub"], wanted["repository"], wanted["revision"], wanted["files"])
    record = _download(folder, record, wanted)
    if known is None:
        write_record(lock, wanted["name"], record)
    (folder / "SHA256SUMS").write_text(_sums(record), encoding="utf-8")
    return {"changed": True, "recorded": known is None, "commit": record.commit}


def _download(folder: Path, record: Record, wanted: dict[str, Any]) -> Record:
    """Fetch every file that is not there, and return the record with all sums."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SHA256SUMS").unlink(missing_ok=True)  # without it the folder is no model
    files: dict[str, File] = {}
    for name, file in record.files.items():
        if file.sha256 and (folder / name).is_file() and sha256(folder / name) == file.sha256:
            files[name] = file
            continue
        url = f"{wanted['hub']}/{record.repository}/resolve/{record.commit}/{name}"
        arrived = fetch(url, folder / name, file, wanted["attempts"], lambda _: time.sleep(PAUSE_SECONDS))
        files[name] = replace(file, sha256=arrived)
    return replace(record, files=files)


def _sums(record: Record) -> str:
    return "".join(f"{file.sha256}  {name}\n" for name, file in sorted(record.files.items()))


def _is_complete(folder: Path, record: Record) -> bool:
    """Whether the folder holds what was recorded; each device verifies the content of what it gets."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file() or sums.read_text(encoding="utf-8") != _sums(record):
        return False
    return all((folder / n).is_file() and (folder / n).stat().st_size == f.size for n, f in record.files.items())


if __name__ == "__main__":
    main()
