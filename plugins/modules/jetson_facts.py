"""Ansible module: what this Jetson is and how it is set."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils import jetson  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: jetson_facts
short_description: Reads what a Jetson is and how it is set
description:
  - Returns C(ansible_facts['jetson']) with board, L4T release, power models, memory and swap.
  - Changes nothing. Says C(is_jetson=false) on every other machine and what it could not read in C(unreadable).
options:
  root:
    description: Folder that stands for C(/), for recorded systems.
    type: path
    default: /
  paths:
    description: Folders whose file systems are looked at; one that is not there yet stands for its nearest parent.
    type: list
    elements: path
    default: [/]
"""

EXAMPLES = r"""
- name: Read what this board is
  jetson_facts:
"""

RETURN = r"""
ansible_facts:
  description: One key, C(jetson).
  returned: always
  type: dict
  contains:
    jetson:
      description: >-
        is_jetson; board (model, compatible, tnspec, super); l4t (release, date, kernel_variant, jetpack, packages,
        package_releases, consistent); power (conf, default, models, current, gpu_limit_hz); memory (total_bytes,
        available_bytes); swap; disk (path, total_bytes, free_bytes); unreadable.
      type: dict
"""


class Reader:
    """Reads files under a root and remembers those that are there but can't be read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: list[str] = []

    def raw(self, path: str) -> bytes:
        """Return the file's bytes, empty if there is none."""
        try:
            return (self.root / path.lstrip("/")).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            self.unreadable.append(f"{path}: {error.strerror}")
            return b""

    def text(self, path: str) -> str:
        """Return the file's text, empty if there is none."""
        return self.raw(path).decode("utf-8", "replace")

    def output(self, *command: str) -> str:
        """Return what a program prints; empty if it is absent, hangs or fails, or if this is a recorded system."""
        if self.root != Path("/"):
            return self.text(f"/recorded/{'_'.join(command[:2]).replace('/', '_')}")
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
            )
        except FileNotFoundError:
            return ""
        except (OSError, subprocess.TimeoutExpired) as error:
            self.unreadable.append(f"{command[0]}: {error}")
            return ""
        if done.returncode != 0 and command[0] == "nvpmodel":
            self.unreadable.append(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def board_facts(read: Reader) -> dict[str, Any]:
    """Return model, compatible names and flash specification of the board."""
    base = "/sys/firmware/devicetree/base"
    model = jetson.parse_device_tree_strings(read.raw(f"{base}/model"))
    compatible = jetson.parse_device_tree_strings(read.raw(f"{base}/compatible"))
    tnspec = jetson.parse_tnspec(read.text("/etc/nv_boot_control.conf"))
    return {
        "model": model[0] if model else None,
        "compatible": compatible,
        "tnspec": tnspec,
        "super": jetson.flashed_super(tnspec, compatible),
    }


def l4t_facts(read: Reader, release: dict[str, str]) -> dict[str, Any]:
    """Return the L4T release and whether the installed packages all belong to it."""
    listing = read.output("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${db:Status-Status}\n", "nvidia-l4t-*")
    packages = jetson.parse_packages(listing)
    releases = jetson.package_releases(packages)
    return {
        **release,
        "jetpack": jetson.JETPACK_OF_L4T.get(release["release"]),
        "packages": packages,
        "package_releases": releases,
        "consistent": releases in ([], [release["release"]]),
    }


def power_facts(read: Reader) -> dict[str, Any]:
    """Return the power models of this board's configuration, the current one, and the GPU's real limit."""
    conf = "/etc/nvpmodel.conf"
    models = jetson.parse_power_models(read.text(conf))
    names = {model.id: model.name for model in models.models}
    current = jetson.parse_current_mode(read.output("nvpmodel", "-q"))
    limits = [read.text(path).strip() for path in models.gpu_limit_paths]
    return {
        "conf": conf if models.models else None,
        "default": names.get(models.default_id) if models.default_id is not None else None,
        "models": [
            {
                "id": model.id,
                "name": model.name,
                "cores": model.cores,
                "gpu_max_hz": model.gpu_max_hz,
                "emc_max_hz": model.emc_max_hz,
            }
            for model in models.models
        ],
        "current": {"id": current[0], "name": current[1]} if current else None,
        "gpu_limit_hz": next((int(limit) for limit in limits if limit.isdigit()), None),
    }


def disk_facts(paths: list[str]) -> list[dict[str, Any]]:
    """Return size and free space of the file systems that hold the paths."""
    facts = []
    for path in paths:
        there = Path(path)
        while not there.exists():
            there = there.parent
        usage = os.statvfs(there)
        facts.append(
            {
                "path": path,
                "total_bytes": usage.f_frsize * usage.f_blocks,
                "free_bytes": usage.f_frsize * usage.f_bavail,
            }
        )
    return facts


def collect(root: Path, paths: list[str]) -> dict[str, Any]:
    """Return all facts of the system under ``root``."""
    read = Reader(root)
    memory = jetson.parse_meminfo(read.text("/proc/meminfo"))
    release = jetson.parse_tegra_release(read.text("/etc/nv_tegra_release"))
    facts: dict[str, Any] = {
        "is_jetson": release is not None,
        "memory": {"total_bytes": memory.get("MemTotal"), "available_bytes": memory.get("MemAvailable")},
        "swap": jetson.parse_swaps(read.text("/proc/swaps")),
        "disk": disk_facts(paths),
    }
    if release is not None:
        facts |= {"board": board_facts(read), "l4t": l4t_facts(read, release), "power": power_facts(read)}
    return {**facts, "unreadable": read.unreadable}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/"},
            "paths": {"type": "list", "elements": "path", "default": ["/"]},
        },
        supports_check_mode=True,
    )
    facts = collect(Path(module.params["root"]), module.params["paths"])
    module.exit_json(changed=False, ansible_facts={"jetson": facts})


if __name__ == "__main__":
    main()
