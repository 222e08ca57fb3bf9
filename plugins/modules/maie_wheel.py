"""Ansible module: build the service's wheel on the control node, once per state of its source."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: maie_wheel
short_description: Builds the wheel of the MAIE service reproducibly
description:
  - Builds the wheel of a hatchling project with the interpreter that runs the module, into a cache that stores each
    wheel under the first 12 hexadecimal digits of its SHA-256.
  - The same source gives the same bytes, so a second run changes nothing.
options:
  source:
    description: Folder of the project, with its C(pyproject.toml).
    type: path
    required: true
  cache:
    description: Folder of the wheels.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Build the service's wheel
  maie_wheel:
    source: app
    cache: .cache/wheels
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The wheel.
  returned: always
  type: str
sha256:
  description: Its SHA-256.
  returned: always
  type: str
revision:
  description: Git revision of the source, with C(+changes) where files differ from it; empty outside a repository.
  returned: always
  type: str
"""

SOURCE_DATE = "1735689600"
"""Time stamp of every file in the wheel (2025-01-01), so that its bytes depend only on the source."""


def build(source: Path, folder: Path) -> Path:
    """Build the wheel into a folder and return its path.

    Raises:
        subprocess.CalledProcessError: hatchling refused; its message is in ``stderr``.
    """
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return next(folder.glob("*.whl"))


def git_revision(source: Path) -> str:
    """Return the source's revision."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=source, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        revision = git("rev-parse", "HEAD")
        return f"{revision}+changes" if revision and git("status", "--porcelain", "--", ".") else revision
    except FileNotFoundError:
        return ""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"source": {"type": "path", "required": True}, "cache": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    source, cache = Path(module.params["source"]), Path(module.params["cache"])
    cache.mkdir(parents=True, exist_ok=True)
    # Simultaneous runs must not see each other's unfinished wheel.
    with tempfile.TemporaryDirectory(dir=cache) as folder, (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            wheel = build(source, Path(folder))
        except subprocess.CalledProcessError as error:
            module.fail_json(msg=f"The wheel of {source} can't be built: {error.stderr.strip()}")
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        path = cache / sha256[:12] / wheel.name
        changed = not path.exists()
        if changed:
            path.parent.mkdir(exist_ok=True)
            wheel.replace(path)
    module.exit_json(changed=changed, path=str(path), sha256=sha256, revision=git_revision(source))


if __name__ == "__main__":
    main()
