"""Ansible module: read the properties of a builder's tools that enter its wheels."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import stat
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wheel_builder_facts
short_description: Reads the properties of a builder's tools that enter its wheels
options:
  python: {description: The interpreter that wheels are built for., type: path, default: /usr/bin/python3}
  build_dir: {description: The folder of the builds, which may be missing., type: path, required: true}
"""

EXAMPLES = r"""
- name: Read the builder's tools
  wheel_builder_facts:
    build_dir: /var/cache/maie-build
  register: builder
"""

RETURN = r"""
tools:
  description: C(architecture), C(compiler), C(nvcc), C(python) (its ABI) and C(torch); null where there is none.
  returned: always
  type: dict
machine:
  description: C(cores), C(available_mb) of memory, and whether there is a C(gpu).
  returned: always
  type: dict
open_to_others:
  description: C(build_dir) and those folders above it that anyone but root owns or may write to.
  returned: always
  type: list
"""

OF_PYTHON = """
import importlib.metadata, json, sysconfig
versions = [found.version for found in importlib.metadata.distributions(name="torch")]
print(json.dumps({"python": sysconfig.get_config_var("SOABI"), "torch": versions[0] if versions else None}))
"""
NVCC = "/usr/local/cuda/bin/nvcc"
GPU_NODES = ("/dev/nvhost-gpu", "/dev/nvgpu/igpu0/ctrl", "/dev/nvidia0")


def version_of(module: AnsibleModule, program: str, argument: str, pattern: str) -> str | None:
    """Return group 1 of a pattern in a program's output; None where the program is missing."""
    if shutil.which(program) is None:
        return None
    _, printed, _ = module.run_command([program, argument], check_rc=True)
    found = re.search(pattern, printed)
    return found[1] if found else None


def open_to_others(folder: Path) -> list[str]:
    """Return a folder and its parents, as far as anyone but root owns or may write to them.

    Whoever may write to one can replace what is below it. A link counts too, and so does every parent of the folder
    that it names.
    """
    real = folder.resolve()
    found = []
    for place in sorted({folder, *folder.parents, real, *real.parents}):
        if place.exists():
            about = place.stat()
            by_group = about.st_mode & stat.S_IWGRP and about.st_gid != 0
            if about.st_uid != 0 or about.st_mode & stat.S_IWOTH or by_group:
                found.append(str(place))
    return found


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "build_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    _, printed, _ = module.run_command([module.params["python"], "-c", OF_PYTHON], check_rc=True)
    tools = {
        "architecture": platform.machine(),
        "compiler": version_of(module, "g++", "-dumpfullversion", r"^([\d.]+)"),
        "nvcc": version_of(module, NVCC, "--version", r"release [\d.]+, V([\d.]+)"),
        **json.loads(printed),
    }
    memory = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "available_mb": int(memory[1]) // 1024 if memory else 0,
        "gpu": any(Path(node).exists() for node in GPU_NODES),
    }
    others = open_to_others(Path(module.params["build_dir"]))
    module.exit_json(changed=False, tools=tools, machine=machine, open_to_others=others)


if __name__ == "__main__":
    main()
