"""Ansible module: write small files and their folders in one call."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: small_files
short_description: Writes small files and their folders in one call
description:
  - Does what M(ansible.builtin.file) and M(ansible.builtin.template) do with their usual options. Each of those takes a
    call or two per file, and a call costs more than a small file.
  - Every new content passes its check before the first file is replaced. Each file is replaced in one step.
options:
  folders:
    description: >-
      C(path), C(owner), C(group) and C(mode) of each folder, in the order in which they are made. An empty
      owner or group stays as it is.
    type: list
    elements: dict
    default: []
  files:
    description: >-
      C(path), C(content), C(owner), C(group) and C(mode) of each file, and with C(validate) the command that checks
      its new content, with C(%s) for the path of that.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Configure the program
  small_files:
    folders:
      - path: /etc/program
    files:
      - path: /etc/program/program.sh
        content: "{{ lookup('ansible.builtin.template', 'program.sh.j2') }}"
        mode: "0755"
        validate: sh -n %s
"""

RETURN = r"""
written:
  description: The files whose content was changed.
  returned: always
  type: list
"""

OWNER = {"path": {"type": "path", "required": True}, "owner": {"default": "root"}, "group": {"default": "root"}}


def wrong_content(file: dict[str, Any]) -> bool:
    """Return whether a file has another content, is missing or is a link.

    Raises:
        IsADirectoryError: A folder is in its place.
    """
    path = Path(file["path"])
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    return path.is_symlink() or not path.is_file() or path.read_bytes() != file["content"].encode()


def staged(module: AnsibleModule, number: int, file: dict[str, Any]) -> Path:
    """Write a file's new content to a temporary place, check it there, and return the place."""
    place = Path(module.tmpdir) / f"{number}" / f".source{Path(file['path']).suffix}"
    place.parent.mkdir()
    place.write_bytes(file["content"].encode())
    if file["validate"]:
        status, out, err = module.run_command(file["validate"] % shlex.quote(str(place)))
        if status:
            module.fail_json(msg=f"{file['path']}: its check failed", stdout=out, stderr=err, rc=status)
    return place


def difference(file: dict[str, Any]) -> dict[str, str]:
    """Return a file's old and new content."""
    path = Path(file["path"])
    before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return {"before_header": file["path"], "after_header": file["path"], "before": before, "after": file["content"]}


def attributes(module: AnsibleModule, item: dict[str, Any], changed: bool) -> bool:
    """Set owner, group and mode; what is still missing in check mode gets them with its creation.

    Of a folder that is a link, as to another disk, it is the folder there that has them.
    """
    if module.check_mode and not Path(item["path"]).exists():
        return True
    wanted = {name: value or None for name, value in item.items()} | {"follow": True}
    return bool(module.set_fs_attributes_if_different(module.load_file_common_arguments(wanted), changed))


def write(module: AnsibleModule) -> dict[str, Any]:
    """Make the folders, replace what differs, and return the module's result."""
    changed, folders, files = False, module.params["folders"], module.params["files"]
    for folder in folders:
        missing = not Path(folder["path"]).is_dir()
        if missing and not module.check_mode:
            Path(folder["path"]).mkdir(parents=True, exist_ok=True)  # another host's call may just have made it
        changed |= attributes(module, folder, missing)
    different = [file for file in files if wrong_content(file)]
    diff = [difference(file) for file in different] if module._diff else []
    if not module.check_mode:
        places = [staged(module, number, file) for number, file in enumerate(different)]
        for place, file in zip(places, different, strict=True):
            module.atomic_move(str(place), file["path"])
    for file in files:
        changed |= attributes(module, file, file in different)
    return {"changed": changed, "written": [file["path"] for file in different], "diff": diff}


def main() -> None:
    """Run as an Ansible module."""
    folder = {**OWNER, "mode": {"type": "raw", "default": "0755"}}
    file = {
        **OWNER,
        "mode": {"type": "raw", "default": "0644"},
        "content": {"required": True},
        "validate": {"default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "dict", "options": folder, "default": []},
            "files": {"type": "list", "elements": "dict", "options": file, "default": []},
        },
        supports_check_mode=True,
        no_log=True,  # of the host alone: its journal would have every file once more
    )
    try:
        module.exit_json(**write(module))
    except OSError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
