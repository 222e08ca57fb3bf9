"""Ansible module: what this Jetson is and how it is configured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.module_utils import (  # type: ignore[attr-defined]
    block_devices,
    jetson,
    nvpmodel_conf,
    power_conf_files,
    tegrastats,
)
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.system_reader import SystemReader  # type: ignore[import-not-found]

DOCUMENTATION = r"""
module: jetson_facts
short_description: Reads what a Jetson is and how it is configured
description:
  - Returns C(ansible_facts['jetson']) with board, L4T release, CUDA, power modes, memory, storage and temperatures.
  - Changes nothing, and needs root only for what root alone can read. What it could not read is in C(unreadable).
  - On any other machine C(is_jetson) is false, and C(board), C(l4t) and C(power) are missing.
options:
  root:
    description: Folder that replaces C(/), for recorded systems, with their programs' output in C(recorded/).
    type: path
    default: /
  paths:
    description:
      - Folders whose file systems are reported, besides C(/).
      - A missing folder counts as its nearest existing parent.
    type: list
    elements: path
    default: [/]
"""

EXAMPLES = r"""
- name: Read what this board is, and where its data goes
  jetson_facts:
    paths: [/var/lib]
"""

RETURN = r"""
ansible_facts:
  description: One key, C(jetson).
  returned: always
  type: dict
  contains:
    jetson:
      description: The facts. Unknown values are null.
      type: dict
      contains:
        is_jetson: {description: Whether there is an L4T release., type: bool}
        board:
          description: >-
            C(model) and C(compatible) of the device tree, C(tnspec) of the flashing, C(super) (whether the board has
            the super configuration), C(module) (such as p3767-0005), C(name) (orin-nano, orin-nx, agx-orin, xavier,
            thor), C(engineering_sample) (the revision of a module that was never sold, such as ES1).
          type: dict
          returned: on a Jetson
        l4t:
          description: >-
            C(release), C(date), C(kernel_variant), C(jetpack), C(packages) (the nvidia-l4t ones with their versions),
            C(package_releases) (the releases that these come from), C(consistent) (whether that is only this one),
            C(held) (the packages that upgrades leave alone).
          type: dict
          returned: on a Jetson
        power:
          description: >-
            C(conf), C(conf_problem) (which module's file that is, if not this one's), C(default), C(models) (id,
            name, cores, gpu_max_hz, emc_max_hz; -1 is uncapped), C(current) (id, name), C(gpu_limit_hz) and
            C(emc_limit_hz) (what the board really allows now; 0 is no limit), C(clocks) (gpu and emc with min_hz,
            max_hz, current_hz, override; only root can read emc), C(clocks_pinned), C(gpu_stuck_hz) (the clock
            of a GPU that runs below the limit to which it is pinned).
          type: dict
          returned: on a Jetson
        cuda: {description: Version of the installed CUDA runtime., type: str}
        cudnn: {description: Version of the installed cuDNN., type: str}
        tensorrt: {description: Version of the installed TensorRT., type: str}
        python: {description: Version of the system's Python., type: str}
        memory: {description: C(total_bytes) and C(available_bytes)., type: dict}
        stats:
          description: >-
            What tegrastats reports now, as in C(module_utils/tegrastats.py), with C(largest_free_blocks) and
            C(largest_free_block_bytes). A large GPU allocation fails where only small blocks are free.
          type: dict
        swap: {description: 'C(path), C(kind), C(size_bytes) and C(used_bytes) of each.', type: list, elements: dict}
        zram: {description: 'C(active), and C(total_bytes) that it can hold before compression.', type: dict}
        disk:
          description: >-
            C(/) and each of the paths with C(total_bytes), C(free_bytes), C(device) and C(kind) (nvme, sd, emmc, usb,
            disk, virtual, unknown).
          type: list
          elements: dict
        thermal: {description: 'C(name) and C(celsius); null for a part that is off.', type: list, elements: dict}
        over_current: {description: 'Over-current events since the boot, by counter.', type: dict}
        unreadable: {description: 'What exists but could not be read, and why.', type: list, elements: str}
"""

PACKAGES = ("nvidia-jetpack", "nvidia-l4t-*", "cuda-cudart-*", "libcudnn*", "libnvinfer*")
PACKAGE_LINE = "${Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"


def board_facts(read: SystemReader) -> dict[str, Any]:
    """Return what the board is and how it was flashed."""
    base = "/sys/firmware/devicetree/base"
    model = jetson.parse_device_tree_strings(read.raw(f"{base}/model"))
    compatible = jetson.parse_device_tree_strings(read.raw(f"{base}/compatible"))
    tnspec = jetson.parse_tnspec(read.text("/etc/nv_boot_control.conf"))
    module = jetson.module_of(tnspec, compatible)
    return {
        "model": model[0] if model else None,
        "compatible": compatible,
        "tnspec": tnspec,
        "super": jetson.flashed_super(tnspec, compatible),
        "module": module,
        "name": jetson.family_of(module),
        "engineering_sample": jetson.engineering_sample(tnspec),
    }


def l4t_facts(release: dict[str, str], packages: dict[str, jetson.Package]) -> dict[str, Any]:
    """Return the L4T release and whether the installed packages all belong to it."""
    own = jetson.l4t_packages(packages)
    releases = jetson.package_releases(own)
    return {
        **release,
        "jetpack": jetson.jetpack_of(release["release"], packages),
        "packages": {name: package.version for name, package in own.items()},
        "package_releases": releases,
        "consistent": releases in ([], [release["release"]]),
        "held": sorted(name for name, package in own.items() if package.held),
    }


def first_number(read: SystemReader, paths: tuple[str, ...]) -> int | None:
    """Return the first number found in the files."""
    return next((number for number in map(read.number, paths) if number is not None), None)


def gpu_clock(read: SystemReader, models: nvpmodel_conf.PowerModels) -> dict[str, nvpmodel_conf.Clock]:
    """Return the GPU's clock from its own files, which everyone may read; empty if there are none."""
    for path in models.gpu_limit_paths:
        folder = path.rpartition("/")[0]
        low, high, now = (read.number(f"{folder}/{name}_freq") for name in ("min", "max", "cur"))
        if low is not None and high is not None and now is not None:
            return {"gpu": nvpmodel_conf.Clock(low, high, now, None)}
    return {}


def conf_problem(read: SystemReader, board: dict[str, Any], models: nvpmodel_conf.PowerModels) -> str | None:
    """Return which module's power configuration the board has, if not its own module's."""
    # A module may run with another module's device tree, and the board then links that module's file.
    own = power_conf_files.own_parts([board["module"], jetson.module_of(None, board["compatible"])])
    files = {
        PurePosixPath(path).name: nvpmodel_conf.parse_power_models(read.text(path))
        for path in read.matches(power_conf_files.FILES)
    }
    problem: str | None = power_conf_files.problem(own, board["super"], models, files)
    return problem


def power_facts(read: SystemReader, board: dict[str, Any]) -> dict[str, Any]:
    """Return this board's power modes, the current one, and the limits that really apply."""
    conf = "/etc/nvpmodel.conf"
    models = nvpmodel_conf.parse_power_models(read.text(conf))
    names = {model.id: model.name for model in models.models}
    current = nvpmodel_conf.parse_current_mode(read.output("nvpmodel", "-q"))
    clocks = nvpmodel_conf.parse_clocks(read.output("jetson_clocks", "--show")) or gpu_clock(read, models)
    gpu_limit_hz = first_number(read, models.gpu_limit_paths)
    return {
        "conf": conf if models.models else None,
        "conf_problem": conf_problem(read, board, models),
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
        "gpu_limit_hz": gpu_limit_hz,
        "emc_limit_hz": first_number(read, models.emc_limit_paths),
        "clocks": {name: asdict(clock) for name, clock in clocks.items()},
        "clocks_pinned": nvpmodel_conf.clocks_pinned(clocks),
        "gpu_stuck_hz": nvpmodel_conf.pinned_below_limit(clocks, gpu_limit_hz),
    }


def storage_of(read: SystemReader, mount: block_devices.Mount | None) -> tuple[str | None, str]:
    """Return a mount's device and the kind of disk below it."""
    if mount is None:
        return None, "unknown"
    folder = read.resolved(f"/sys/dev/block/{mount.number}")
    if folder is None and mount.source.startswith("/dev/"):
        # Btrfs has its own device number; its source names the partition.
        folder = read.resolved(f"/sys/class/block/{mount.source.rpartition('/')[2]}")
    if folder is None:
        return mount.source, block_devices.VIRTUAL
    device = f"/dev/{folder.rpartition('/')[2]}"
    # An encrypted or logical volume is on a disk, which may itself be such a volume.
    while below := read.matches(f"{folder}/slaves/*"):
        folder = read.resolved(below[0]) or folder
    disk = block_devices.disk_of(folder)
    return device, block_devices.kind_of(disk, read.text(f"{disk}/device/type"))


def disk_facts(read: SystemReader, paths: list[str]) -> list[dict[str, Any]]:
    """Return the file systems of ``/`` and the paths."""
    mounts = block_devices.parse_mountinfo(read.text("/proc/self/mountinfo"))
    facts = []
    for path in dict.fromkeys(["/", *paths]):
        there = read.nearest(path)
        total, free = read.usage(there)
        device, kind = storage_of(read, block_devices.mount_of(there, mounts))
        facts.append({"path": path, "total_bytes": total, "free_bytes": free, "device": device, "kind": kind})
    return facts


def thermal_facts(read: SystemReader) -> list[dict[str, Any]]:
    """Return the thermal zones that have a name."""
    zones = ((read.text(f"{zone}/type").strip(), zone) for zone in read.matches("/sys/class/thermal/thermal_zone*"))
    return [{"name": name, "celsius": jetson.celsius(read.number(f"{zone}/temp"))} for name, zone in zones if name]


def over_current_facts(read: SystemReader) -> dict[str, int]:
    """Return the counters of over-current events by name."""
    counters = {path.rpartition("/")[2]: read.number(path) for path in read.matches("/sys/class/hwmon/*/oc*_event_cnt")}
    return {name: events for name, events in counters.items() if events is not None}


def stats_facts(read: SystemReader) -> dict[str, Any] | None:
    """Return what tegrastats reports now."""
    stats = tegrastats.parse(read.first_line("tegrastats", "--interval", "100"))
    return asdict(stats) if stats else None


def collect(root: Path, paths: list[str]) -> dict[str, Any]:
    """Return all facts of the system under ``root``."""
    read = SystemReader(root)
    memory = jetson.parse_meminfo(read.text("/proc/meminfo"))
    swaps = read.text("/proc/swaps")
    release = jetson.parse_tegra_release(read.text("/etc/nv_tegra_release"))
    # dpkg-query fails as soon as one of the patterns matches nothing.
    packages = jetson.parse_packages(read.output("dpkg-query", "-W", "-f", PACKAGE_LINE, *PACKAGES, may_fail=True))
    facts: dict[str, Any] = {
        "is_jetson": release is not None,
        **{part: jetson.stack_version(part, packages) for part in jetson.STACK},
        "python": jetson.parse_python_version(read.output("python3", "--version")),
        "memory": {"total_bytes": memory.get("MemTotal"), "available_bytes": memory.get("MemAvailable")},
        "stats": stats_facts(read),
        "swap": jetson.parse_swaps(swaps),
        "zram": jetson.zram_of(swaps),
        "disk": disk_facts(read, paths),
        "thermal": thermal_facts(read),
        "over_current": over_current_facts(read),
    }
    if release is not None:
        board = board_facts(read)
        facts |= {"board": board, "l4t": l4t_facts(release, packages), "power": power_facts(read, board)}
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
