"""What the kernel of the board would show below /sys: device tree, clocks, temperatures."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

from maie_jetson import hardware, powerconf, release, storage
from maie_virtual import disk
from maie_virtual.faults import fault
from maie_virtual.paths import device, runtime

THERMAL_ZONES = {
    "cpu-thermal": 51218, "gpu-thermal": 51593, "soc0-thermal": 50125, "soc1-thermal": 50343,
    "soc2-thermal": 51093, "tj-thermal": 51718,
}  # fmt: skip
HWMON = {
    "hwmon0": {"name": "pwmfan", "pwm1": "60"},
    "hwmon1": {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5048", "curr1_input": "940"},
    "hwmon2": {
        "name": "soctherm_oc", "oc1_event_cnt": "0", "oc1_throt_en": "1", "oc2_event_cnt": "0", "oc2_throt_en": "1",
        "oc3_event_cnt": "0", "oc3_throt_en": "1",
    },
}  # fmt: skip
COVERED = ("/sys/firmware", "/sys/devices/platform", "/sys/class", "/sys/kernel", "/sys/block", "/sys/dev/block")
KEPT = ("/sys/kernel/mm", "/sys/class/net")
POWER_CONF = "/etc/nvpmodel/nvpmodel_p3767_0003_super.conf"
POWER_CONF_NOT_SUPER = "/etc/nvpmodel/nvpmodel_p3767_0003.conf"
POWER_CONF_4GB = "/etc/nvpmodel/nvpmodel_p3767_0004_super.conf"
SERIAL = "1421024000000"
GPU_NODE = "/dev/nvmap"


def device_tree() -> dict[str, bytes]:
    """The properties that identify the board, NUL-terminated as device-tree strings are."""
    suffix, name = ("", "") if fault("not_super") else ("-super", " Super")
    model = f"NVIDIA Jetson Orin Nano Engineering Reference Developer Kit{name}"
    compatible = (f"nvidia,p3768-0000+p3767-0005{suffix}", "nvidia,p3767-0005", "nvidia,tegra234")
    return {
        "model": model.encode() + b"\0",
        "compatible": "".join(f"{part}\0" for part in compatible).encode(),
        "serial-number": SERIAL.encode() + b"\0",
    }


def boot_control() -> str:
    """/etc/nv_boot_control.conf, whose TNSPEC names the configuration that the board was flashed with."""
    name = "jetson-orin-nano-devkit" + ("-" if fault("not_super") else "-super-")
    return (
        f"TNSPEC 3767-300-0005-R.1-1-1-{name}\n"
        f"COMPATIBLE_SPEC 3767-000-0005--1--{name}\n"
        f"TEGRA_BOOT_STORAGE {storage.root_disk().name}\n"
        "TEGRA_CHIPID 0x23\nTEGRA_OTA_BOOT_DEVICE /dev/mtdblock0\n"
        "TEGRA_OTA_GPT_DEVICE /dev/mtdblock0\n"
    )


def write_files() -> None:
    """Fill the folders; separate from mounting, which needs root."""
    for path, text in hardware.initial_files().items():
        file = hardware.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    tree = device("/sys/firmware/devicetree/base")
    tree.mkdir(parents=True, exist_ok=True)
    for name, content in device_tree().items():
        (tree / name).write_bytes(content)
    for number, (kind, temperature) in enumerate(THERMAL_ZONES.items()):
        zone = device(f"/sys/class/thermal/thermal_zone{number}")
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{temperature}\n")
    for monitor, files in HWMON.items():
        for file, text in files.items():
            storage.write(device(f"/sys/class/hwmon/{monitor}/{file}"), text)
    storage.write_files()
    device("/etc").mkdir(exist_ok=True)
    device("/etc/nv_boot_control.conf").write_text(boot_control())
    write_power_conf()


def write_power_conf() -> None:
    """The configurations of the power modes, and the link to that of the board, which nvpower.sh makes at each boot."""
    conf, other, smaller = device(POWER_CONF), device(POWER_CONF_NOT_SUPER), device(POWER_CONF_4GB)
    link = device("/etc/nvpmodel.conf")
    conf.write_text(powerconf.with_seven_watts(conf.read_text(), fault("mode_needs_reboot") is True))
    other.write_text(powerconf.without_super(conf.read_text()))
    smaller.write_text(powerconf.half_memory(conf.read_text()))
    link.unlink(missing_ok=True)
    foreign = fault("foreign_power_conf")
    if foreign and foreign != "linked":
        shutil.copy(smaller, link)
    else:
        link.symlink_to(smaller if foreign else other if fault("not_super") == "relinked" else conf)


def make_gpu_node() -> None:
    """The node through which all of the GPU's memory comes; what is behind it here is /dev/null."""
    os.mknod(GPU_NODE, stat.S_IFCHR | 0o660, os.makedev(1, 3))
    shutil.chown(GPU_NODE, "root", "video")


def build() -> None:
    """Cover the machine's own folders with empty ones of the container, keep what others read, fill them."""
    for folder in KEPT:
        kept = runtime(folder.strip("/").replace("/", "-"))
        kept.mkdir()
        subprocess.run(("mount", "--bind", folder, str(kept)), check=True)
    for folder in COVERED:
        subprocess.run(("mount", "-t", "tmpfs", "-o", "mode=0755,size=1m", "board", folder), check=True)
    for folder in KEPT:
        device(folder).mkdir()
        subprocess.run(("mount", "--bind", str(runtime(folder.strip("/").replace("/", "-"))), folder), check=True)
    write_files()
    make_gpu_node()
    if disk.full_folder():
        storage.link_device_of(disk.full_folder())
    runtime("cmdline").write_text(storage.command_line())
    subprocess.run(("mount", "--bind", str(runtime("cmdline")), "/proc/cmdline"), check=True)
    release.apply_faults()
