"""Ansible module: verify a shared virtual environment, or make it with uv."""

from __future__ import annotations

import hashlib
import os
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ansible.module_utils import environments, pip_settings  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: python_environment
short_description: Verifies a shared virtual environment, or makes it with uv
description:
  - An environment is the folder C(<root>/<id>). It is assembled in C(<root>/<id>.new) and moved into place when it is
    complete; from then on nothing in it may change.
  - C(verified) says whether it exists and is intact. A file is read again only if its metadata shows that it was
    touched.
  - C(installed) makes C(<id>.new/environment). Beside it are C(uv) with uv's wheel and, where there is no index,
    C(wheels) with the wheels.
  - C(completed) records it and moves it into place, replacing a damaged one.
options:
  root: {description: Folder of the environments., type: path, required: true}
  id: {description: Its id., type: str, required: true}
  state:
    description: What to do.
    type: str
    choices: [verified, installed, completed]
    required: true
  requirements: {description: 'Its packages, with a hash for each file; for C(installed).', type: str, default: ""}
  uv_lock: {description: 'The lock of uv; for C(installed).', type: str, default: ""}
  offline: {description: Whether to use only C(wheels), no index., type: bool, default: false}
  pip_arguments:
    description: Arguments for pip that name an index, in addition to pip's own settings on the host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the environment
  python_environment:
    root: /opt/maie/environments
    id: 0123456789ab
    state: verified
"""

RETURN = r"""
sound: {description: Whether it exists and is intact., returned: for state=verified, type: bool}
present: {description: Whether anything is in its place., returned: for state=verified, type: bool}
fault: {description: Why it can't be used., returned: for state=verified, type: str}
"""

PYTHON = "/usr/bin/python3"


class Refused(Exception):
    """The environment can't be made; the text says why."""


def unpack_uv(work: Path, lock: str) -> Path:
    """Return the program from uv's wheel, verified by the hash in uv's lock."""
    wheel = next((work / "uv").glob("uv-*.whl"))
    # Read once: what is unpacked is what was verified.
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() not in lock:
        raise Refused(f"{wheel.name} is not the file that the lock of uv names.")
    with ZipFile(BytesIO(content)) as archive:
        program = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        archive.extract(program, work / "uv")
    (work / "uv" / program).chmod(0o755)
    return work / "uv" / program


def install(work: Path, params: dict[str, Any]) -> None:
    """Make the virtual environment. It can be moved, and afterwards needs nothing in this folder."""
    os.umask(0o022)
    offline, arguments = params["offline"], params["pip_arguments"]
    made, variables = work / "environment", dict(os.environ)
    found = pip_settings.settings(pip_settings.config_files(variables), variables, [] if offline else arguments)
    sources = ["--index-strategy", "unsafe-best-match"] + ["--no-index"] * pip_settings.without_index(found)
    if offline:
        sources = ["--no-index", "--find-links", str(work / "wheels")]
    else:
        variables |= pip_settings.for_uv(found)
    # The hashes identify the files, so it does not matter which index has them. Hard links from a cache beside the
    # environment cost no time and, once the cache is removed, no space.
    variables |= {"UV_NO_CONFIG": "1", "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    variables |= {"UV_CACHE_DIR": str(work / "cache"), "UV_LINK_MODE": "hardlink"}
    uv = [str(unpack_uv(work, params["uv_lock"])), "--quiet"]
    (work / "requirements.txt").write_text(params["requirements"], encoding="utf-8")
    wheels_only = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", "requirements.txt"]
    for command in (
        [*uv, "venv", "--relocatable", "--python", PYTHON, str(made)],
        [*uv, "pip", "install", "--python", str(made), "--compile-bytecode", *wheels_only, *sources],
    ):
        done = subprocess.run(
            command, cwd=work, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(f"uv {command[2]} failed: {(done.stderr or done.stdout).strip()[-3000:]}")
    (work / "requirements.txt").replace(made / "requirements.txt")
    environments.remove(work / "cache")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "id": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["verified", "installed", "completed"], "required": True},
            "requirements": {"type": "str", "default": ""},
            "uv_lock": {"type": "str", "default": ""},
            "offline": {"type": "bool", "default": False},
            "pip_arguments": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    place = Path(module.params["root"]) / module.params["id"]
    work = place.with_name(f"{place.name}.new")
    if module.params["state"] == "verified":
        fault = environments.fault(place)
        module.exit_json(changed=False, sound=not fault, present=place.is_dir(), fault=fault)
    try:
        if module.check_mode:
            pass
        elif module.params["state"] == "installed":
            install(work, module.params)
        else:
            environments.complete(work / "environment", place)
            environments.remove(work)
    except (Refused, pip_settings.UnknownArgument, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
