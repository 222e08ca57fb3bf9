"""Ansible module: read what the tools of a machine add to the wheels that are built on it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wheel_builder_facts
short_description: Reads what the tools of a machine add to the wheels that are built on it
options:
  python: {description: The interpreter that wheels are built for., type: path, default: /usr/bin/python3}
"""

EXAMPLES = r"""
- name: Read what the builder has
  wheel_builder_facts:
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
"""

OF_PYTHON = """
import importlib.metadata, json, sysconfig
versions = [found.version for found in importlib.metadata.distributions(name="torch")]
print(json.dumps({"python": sysconfig.get_config_var("SOABI"), "torch": versions[0] if versions else None}))
"""
NVCC = "/usr/local/cuda/bin/nvcc"
GPU_NODES = ("/dev/nvhost-gpu", "/dev/nvgpu/igpu0/ctrl", "/dev/nvidia0")


def version_of(module: AnsibleModule, program: str, argument: str, pattern: str) -> str | None:
    """Return group 1 of a pattern in what a program prints; None where there is no such program."""
    if shutil.which(program) is None:
        return None
    _, printed, _ = module.run_command([program, argument], check_rc=True)
    found = re.search(pattern, printed)
    return found[1] if found else None


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"python": {"type": "path", "default": "/usr/bin/python3"}}, supports_check_mode=True
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
    module.exit_json(changed=False, tools=tools, machine=machine)


if __name__ == "__main__":
    main()
