"""Ansible module: change which release of MAIE is live on a host, and which others are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import environments, releases  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_release
short_description: Moves a host between its releases of MAIE, records their outcome and removes old ones
description:
  - M(maie_release_info) reads the releases without changing anything.
options:
  root:
    description: Folder with C(releases), C(current), C(previous) and C(history.jsonl).
    type: path
    default: /opt/maie
  state:
    description:
      - C(active) makes a release live by replacing one link, once all of it is on the disk.
      - C(absent) removes the link to the live release, after a failed first installation.
      - C(proven) marks the live release as having passed its smoke test and appends that to C(history.jsonl).
      - C(noted) appends another outcome of a release to C(history.jsonl).
      - C(pruned) removes all but the newest releases, and incomplete ones, but never the live or the previous one; then
        the environments that no release names. No release may be being staged.
    type: str
    choices: [active, absent, proven, noted, pruned]
    required: true
  release:
    description: The release, for C(active) and C(noted). For C(active), empty means the previous one.
    type: str
    default: ""
  previous:
    description: The new previous release, for C(active). By default the one that was live until now.
    type: str
  only_intact:
    description:
      - Whether C(active) refuses a release of which an environment is not intact. The way back from a failed deployment
        takes even that, rather than leave the host without a service.
    type: bool
    default: true
  outcome:
    description: The release's outcome, for C(noted).
    type: str
    default: ""
  keep:
    description: How many releases remain, the linked ones counted, for C(pruned).
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Go back to the previous release
  maie_release:
    state: active
"""

RETURN = r"""
current:
  description: The live release, empty if there is none.
  returned: always
  type: str
previous:
  description: The previous release, empty if there is none.
  returned: always
  type: str
removed:
  description: The releases that were removed, or would be.
  returned: for state=pruned
  type: list
removed_environments:
  description: The environments likewise.
  returned: for state=pruned
  type: list
"""


def wanted_links(params: dict[str, Any], before: releases.Links) -> releases.Links:
    """Return the new targets of the links.

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
    """Switch the links or remove releases, as ``state`` says, and return the new state."""
    before = releases.read_links(root)
    after, removed, unused = before, [], []
    if params["state"] == "active":
        after = wanted_links(params, before)
        if not check_mode and after != before:
            releases.activate(root, after.current, after.previous, params["only_intact"])
    elif params["state"] == "absent":
        after = releases.Links("", before.previous)
        if not check_mode and after != before:
            releases.point(root, "current", "")
    elif params["state"] == "pruned":
        removed = releases.removable(root, params["keep"])
        unused = releases.unused_environments(root, removed)
        folders = [f"releases/{release}" for release in removed] + [f"environments/{name}" for name in unused]
        for folder in folders if not check_mode else []:
            environments.remove(root / folder)
    return {
        "changed": after != before or bool(removed or unused),
        "current": after.current,
        "previous": after.previous,
        "removed": removed,
        "removed_environments": unused,
        "diff": {
            "before": f"current: {before.current}\nprevious: {before.previous}\n",
            "after": f"current: {after.current}\nprevious: {after.previous}\n",
        },
    }


def record(root: Path, params: dict[str, Any], check_mode: bool) -> bool:
    """Record that a release is proven, or another outcome; return whether that is new."""
    if params["state"] == "proven":
        live = releases.read_links(root).current
        is_new = live not in releases.proven_releases(root)
        if is_new and not check_mode:
            releases.prove(root, live)
        return is_new
    if params["state"] == "noted" and not check_mode:
        releases.note(root, params["release"], params["outcome"])
    return bool(params["state"] == "noted")


def run(root: Path, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do all that ``state`` says and return the module's result."""
    recorded = record(root, params, check_mode)
    result = apply(root, params, check_mode)
    return {**result, "changed": result["changed"] or recorded}


def main() -> None:
    """Run as an Ansible module."""
    states = ["active", "absent", "proven", "noted", "pruned"]
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/maie"},
            "state": {"type": "str", "choices": states, "required": True},
            "release": {"type": "str", "default": ""},
            "previous": {"type": "str"},
            "only_intact": {"type": "bool", "default": True},
            "outcome": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(Path(module.params["root"]), module.params, module.check_mode))
    except (releases.ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
