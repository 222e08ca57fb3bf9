"""Ansible module: read which releases of MAIE are on a host, and which one to go back to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils import releases  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_release_info
short_description: Reads which releases of MAIE are on a host, and which one to go back to
description:
  - Changes nothing; M(maie_release) does.
options:
  root:
    description: Folder with C(releases), C(current) and C(previous).
    type: path
    default: /opt/maie
  wanted:
    description:
      - The release for a rollback; empty for the previous one. The module fails if it is not complete.
    type: str
  begun:
    description:
      - What this module returned before a failed deployment, or nothing if that failed earlier. Makes the module return
        C(retreat).
    type: dict
"""

EXAMPLES = r"""
- name: Find the previous release
  maie_release_info:
    wanted: ""
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
whole:
  description: All complete releases, the most recently staged first.
  returned: always
  type: list
proven:
  description: Those of them that have passed their smoke test.
  returned: always
  type: list
wanted:
  description: The release for a rollback.
  returned: if O(wanted) was given
  type: str
retreat:
  description:
    - How to recover from a failed deployment. C(stays) if the live release stays, else C(release) to make live again
      and the new C(previous), empty if there is none; C(told) is the outcome as a sentence.
  returned: if O(begun) was given
  type: dict
"""


def info(root: Path, wanted: str | None, begun: dict[str, Any] | None) -> dict[str, Any]:
    """Return the host's releases and, where requested, the one to go back to.

    Raises:
        ReleaseError: The release is missing or incomplete, or an environment of it is not intact.
    """
    links = releases.read_links(root)
    told: dict[str, Any] = {**asdict(links), "whole": releases.whole_releases(root)}
    told["proven"] = releases.proven_releases(root)
    if wanted is not None:
        told["wanted"] = releases.wanted(root, wanted)
    if begun is not None:
        before = releases.Links(begun.get("current", ""), begun.get("previous", ""))
        told["retreat"] = asdict(releases.retreat(root, before))
    return told


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/maie"},
            "wanted": {"type": "str"},
            "begun": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    root, wanted, begun = (module.params[name] for name in ("root", "wanted", "begun"))
    try:
        module.exit_json(changed=False, **info(Path(root), wanted, begun))
    except (releases.ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
