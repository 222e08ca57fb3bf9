"""Ansible module: choose the live release of MAIE on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import releases  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_release
short_description: Moves a host between its releases of MAIE, and removes old ones
description:
  - C(read) says which releases are live, remembered and complete.
  - C(active) makes one live by replacing one link, after all of it is on the disk.
  - C(absent) takes the link to the live release away, for a first installation that failed.
  - C(pruned) removes all but the newest releases, and never the live or the remembered one.
options:
  root:
    description: Folder with C(releases), C(current) and C(previous).
    type: path
    default: /opt/maie
  state:
    description: What to do.
    type: str
    choices: [read, active, absent, pruned]
    required: true
  release:
    description: The release to make live, for C(state=active). Empty means the remembered one.
    type: str
    default: ""
  previous:
    description: The release to remember, for C(state=active). By default the one that was live until now.
    type: str
  keep:
    description: How many releases remain, the linked ones counted, for C(state=pruned).
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Go back to the release before
  maie_release:
    state: active
"""

RETURN = r"""
current:
  description: The live release, empty if there is none.
  returned: always
  type: str
previous:
  description: The remembered release, empty if there is none.
  returned: always
  type: str
whole:
  description: All complete releases, the most recently staged first.
  returned: always
  type: list
proven:
  description: Those of them that have passed their smoke test.
  returned: always
  type: list
removed:
  description: What was removed, or would be.
  returned: for state=pruned
  type: list
"""


def wanted_links(params: dict[str, Any], before: releases.Links) -> releases.Links:
    """Return where the links shall point.

    Raises:
        ReleaseError: There is no release to go back to.
    """
    release = params["release"] or before.previous
    if not release:
        raise releases.ReleaseError("There is no previous release on this host to go back to.")
    previous = params["previous"]
    if previous is None:
        previous = before.current if release != before.current else before.previous
    return releases.Links(release, previous)


def apply(root: Path, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what ``state`` says and return the module's result."""
    before = releases.read_links(root)
    after, removed = before, []
    if params["state"] == "active":
        after = wanted_links(params, before)
        if not check_mode and after != before:
            releases.activate(root, after.current, after.previous)
    elif params["state"] == "absent":
        after = releases.Links("", before.previous)
        if not check_mode and after != before:
            releases.point(root, "current", "")
    elif params["state"] == "pruned":
        removed = releases.removable(root, params["keep"])
        for release in removed if not check_mode else []:
            releases.remove(root, release)
    return {
        "changed": after != before or bool(removed),
        "current": after.current,
        "previous": after.previous,
        "whole": releases.whole_releases(root),
        "proven": releases.proven_releases(root),
        "removed": removed,
        "diff": {
            "before": f"current: {before.current}\nprevious: {before.previous}\n",
            "after": f"current: {after.current}\nprevious: {after.previous}\n",
        },
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/maie"},
            "state": {"type": "str", "choices": ["read", "active", "absent", "pruned"], "required": True},
            "release": {"type": "str", "default": ""},
            "previous": {"type": "str"},
            "keep": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**apply(Path(module.params["root"]), module.params, module.check_mode))
    except (releases.ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
