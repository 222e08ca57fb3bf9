"""Ansible module: fetch the wheels that a lock names for a platform, or list their sizes."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import tomllib
from ansible.module_utils import durable  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lock_downloads import DownloadError, download, machines, split_platform
from ansible.module_utils.urls import open_url
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

DOCUMENTATION = r"""
module: lock_wheels
short_description: Fetches the wheels that a lock names for a platform into one archive
description:
  - Runs on the control node, whatever its own platform. pip fetches the files and verifies them by the lock's
    hashes; the archive appears when it is complete.
  - In check mode nothing is fetched, and the sizes come from the index.
options:
  lock: {description: Content of the lock., type: str, required: true}
  platform: {description: 'Such as C(aarch64-cp310).', type: str, required: true}
  archive: {description: The tar archive., type: path, required: true}
  arguments: {description: 'More arguments for pip, e.g. a mirror.', type: list, elements: str, default: []}
"""

EXAMPLES = r"""
- name: Fetch JetPack's wheels
  lock_wheels:
    lock: "{{ lookup('ansible.builtin.file', 'requirements/aarch64-cp310.txt') }}"
    platform: aarch64-cp310
    archive: bundle/wheels/aarch64-cp310.tar
  delegate_to: localhost
"""

RETURN = r"""
files: {description: C(name) and C(bytes) of each; null where the size is unknown., returned: always, type: list}
"""

BY_URL = re.compile(r"^\S+ @ (\S+/(\S+\.whl)).*\n(?:[ \t].*\n)*", re.MULTILINE)


def pack(folder: Path, archive: Path) -> None:
    """Pack the folder's files; the archive appears complete, and stays so through a power cut."""
    part = archive.with_suffix(".part")
    with tarfile.open(part, "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    durable.rename(part, archive)


def told_by_index(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return the files that pip would fetch, from the index's metadata."""
    machine, minor = split_platform(module.params["platform"])
    order = [
        *cpython_tags((3, minor), [f"cp3{minor}"], machines(machine)),
        *compatible_tags((3, minor), f"cp3{minor}", machines(machine)),
    ]
    files = [{"name": url[2], "bytes": size_of(url[1])} for url in BY_URL.finditer(module.params["lock"])]
    with tempfile.TemporaryDirectory() as folder:
        lock, resolved = Path(folder) / "lock.txt", Path(folder) / "pylock.toml"
        lock.write_text(BY_URL.sub("", module.params["lock"]))
        command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--no-deps", str(lock)]
        command += ["--python-version", f"3.{minor}", "--python-platform", f"{machine}-manylinux_2_28"]
        subprocess.run([*command, "--format", "pylock.toml", "-o", str(resolved)], check=True, capture_output=True)
        packages = tomllib.loads(resolved.read_text())["packages"]
    for package in packages:
        wheels = [(rank(wheel_name(wheel), order), wheel) for wheel in package.get("wheels", [])]
        best = min(wheels, key=lambda pair: pair[0])[1]
        files.append({"name": wheel_name(best), "bytes": best.get("size")})
    return sorted(files, key=lambda file: file["name"])


def wheel_name(wheel: dict[str, Any]) -> str:
    """Return the file name of a wheel in a pylock."""
    return str(wheel.get("name") or (wheel.get("url") or wheel["path"]).rpartition("/")[2])


def rank(name: str, order: list[Tag]) -> int:
    """Return the position of a wheel's best tag in the order; its length where none fits."""
    tags = parse_wheel_filename(name.replace("%2B", "+"))[3]
    return min((place for place, tag in enumerate(order) if tag in tags), default=len(order))


def size_of(url: str) -> int | None:
    """Return a file's size as its server states it; None where it doesn't."""
    try:
        length = open_url(url, method="HEAD", timeout=10).headers.get("Content-Length")
    except (URLError, OSError):
        return None
    return int(length) if length else None


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "lock": {"type": "str", "required": True},
            "platform": {"type": "str", "required": True},
            "archive": {"type": "path", "required": True},
            "arguments": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    archive = Path(module.params["archive"])
    if module.check_mode and not archive.exists():
        try:
            module.exit_json(changed=True, files=told_by_index(module))
        except subprocess.CalledProcessError as error:
            module.fail_json(msg=f"The index can't be asked: {error.stderr.decode(errors='replace').strip()}")
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Hosts of one batch ask at the same time: the first fetches, the others find it.
    with (archive.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = not archive.exists()
        if changed:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    download(module.params["lock"], module.params["platform"], Path(folder), module.params["arguments"])
                except DownloadError as error:
                    module.fail_json(msg=str(error))
                pack(Path(folder), archive)
    with tarfile.open(archive) as tar:
        files = [{"name": member.name, "bytes": member.size} for member in tar]
    module.exit_json(changed=changed, files=files)


if __name__ == "__main__":
    main()
