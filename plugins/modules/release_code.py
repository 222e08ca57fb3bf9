"""Ansible module: install the service's own code into a release, on top of its shared environment."""

from __future__ import annotations

import configparser
import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sums import sha256

DOCUMENTATION = r"""
module: release_code
short_description: Installs the service's wheel into a release
description:
  - Makes a virtual environment with only the service's code. Its dependencies are in a shared environment, to which a
    C(.pth) file points, so a release takes no more space than its own code.
options:
  folder: {description: 'The virtual environment, which must not exist yet.', type: path, required: true}
  wheel: {description: 'The wheel on the host, of pure Python; it is removed.', type: path, required: true}
  sha256: {description: The wheel's expected SHA-256., type: str, required: true}
  environment: {description: The shared environment., type: path, required: true}
"""

EXAMPLES = r"""
- name: Install the service's code
  release_code:
    folder: /opt/maie/releases/0123456789ab/venv
    wheel: /opt/maie/releases/0123456789ab/maie-0.1.0-py3-none-any.whl
    sha256: 4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
    environment: /opt/maie/environments/ba9876543210
"""

RETURN = ""

PYTHON = "/usr/bin/python3"
SCRIPT = """\
#!{python}
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""
"""Guarded, because a process that the service spawns imports it again."""


class Refused(Exception):
    """The wheel can't be installed; the text says why."""


def packages(environment: Path) -> Path:
    """Return the folder from which an environment imports."""
    return next(environment.glob("lib/python3.*/site-packages"))


def lay_down(folder: Path, wheel: Path, environment: Path) -> None:
    """Make the virtual environment and put the wheel's content into it."""
    os.umask(0o022)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True, text=True)
    place, python = packages(folder), folder / "bin/python"
    with ZipFile(wheel) as archive:
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        if b"Root-Is-Purelib: true" not in archive.read(about):
            raise Refused(f"{wheel.name} is not a wheel of pure Python.")
        archive.extractall(place)
    (place / "environment.pth").write_text(f"{packages(environment)}\n", encoding="utf-8")
    commands = configparser.ConfigParser()
    commands.read(place / about.replace("WHEEL", "entry_points.txt"))
    for name, target in commands["console_scripts"].items():
        module, _, function = target.partition(":")
        script = folder / "bin" / name
        script.write_text(SCRIPT.format(python=python, module=module, function=function), encoding="utf-8")
        script.chmod(0o755)
    # The service's account can't write there: without this each process would compile everything again.
    compiled = [str(python), "-m", "compileall", "-q", str(place)]
    subprocess.run(compiled, check=True, capture_output=True, text=True)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "wheel": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "environment": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    folder, wheel, environment = (Path(module.params[name]) for name in ("folder", "wheel", "environment"))
    if not module.check_mode:
        arrived = sha256(wheel)
        if arrived != module.params["sha256"]:
            module.fail_json(msg=f"{wheel.name} arrived with SHA-256 {arrived}, not {module.params['sha256']}.")
        try:
            lay_down(folder, wheel, environment)
            wheel.unlink()
        except subprocess.CalledProcessError as error:
            module.fail_json(msg=f"{' '.join(error.cmd)} failed: {(error.stderr or error.stdout).strip()}")
        except (Refused, OSError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
