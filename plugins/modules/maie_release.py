"""Ansible module: choose the live release of MAIE on a host."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils import releases  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_release
short_description: Moves a host between its releases of MAIE, and removes old ones
description:
  - C(read) says which releases are live, remembered and complete.
  - C(wanted) finds the release to go back to on request, and fails if it is not complete.
  - C(retreat) finds the release to go back to after a failed deploy.
  - C(proven) marks the live one as one that has passed its smoke test.
  - C(noted) appends to C(history.jsonl) what became of a release; C(proven) does so too.
  - C(active) makes one live by replacing one link, after all of it is on the disk.
  - C(absent) takes the link to the live release away, for a first installation that failed.
  - C(pruned) removes all but the newest releases, and never the live or the remembered one; then the environments of
    language models' servers that no release names any more.
options:
  root:
    description: Folder with C(releases), C(current), C(previous) and C(history.jsonl).
    type: path
    default: /opt/maie
  state:
    description: What to do.
    type: str
    choices: [read, wanted, retreat, active, absent, pruned, proven, noted]
    required: true
  release:
    description: The release, for C(wanted), C(active) and C(noted). For the first two, empty means the remembered one.
    type: str
    default: ""
  previous:
    description: The release to remember, for C(state=active). By default the one that was live until now.
    type: str
  begun:
    description: What C(read) returned before the deploy began, for C(state=retreat); empty if it did not get so far.
    type: dict
    default: {}
  outcome:
    description: What became of the release, for C(state=noted).
    type: str
    default: ""
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
wanted:
  description: The release to go back to on request.
  returned: for state=wanted
  type: str
retreat:
  description:
    - Where a failed deploy goes back to. C(stays) if what is live is left alone, else C(release) to make live again and
      C(previous) to remember, empty if there is none; C(told) is the outcome as a sentence.
  returned: for state=retreat
  type: dict
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
    """Move the links or remove releases, as ``state`` says, and return what is so then."""
    before = releases.read_links(root)
    after, removed, environments = before, [], []
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
        environments = releases.unused_environments(root, removed)
        folders = [f"releases/{release}" for release in removed] + [f"environments/{name}" for name in environments]
        for folder in folders if not check_mode else []:
            releases.remove(root / folder)
    return {
        "changed": after != before or bool(removed or environments),
        "current": after.current,
        "previous": after.previous,
        "whole": releases.whole_releases(root),
        "proven": releases.proven_releases(root),
        "removed": removed,
        "removed_environments": environments,
        "diff": {
            "before": f"current: {before.current}\nprevious: {before.previous}\n",
            "after": f"current: {after.current}\nprevious: {after.previous}\n",
        },
    }


def found(root: Path, params: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked for: the release to go back to on request, or after a failed deploy.

    Raises:
        ReleaseError: What is wanted is not there, or not complete.
    """
    if params["state"] == "wanted":
        return {"wanted": releases.wanted(root, params["release"])}
    if params["state"] == "retreat":
        begun = releases.Links(*(params["begun"].get(name, "") for name in ("current", "previous")))
        return {"retreat": asdict(releases.retreat(root, begun))}
    return {}


def record(root: Path, params: dict[str, Any], check_mode: bool) -> bool:
    """Write down that a release has proven itself, or what else became of it; return whether that is new."""
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
    return {**result, **found(root, params), "changed": result["changed"] or recorded}


def main() -> None:
    """Run as an Ansible module."""
    states = ["read", "wanted", "retreat", "active", "absent", "pruned", "proven", "noted"]
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/maie"},
            "state": {"type": "str", "choices": states, "required": True},
            "release": {"type": "str", "default": ""},
            "previous": {"type": "str"},
            "begun": {"type": "dict", "default": {}},
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
