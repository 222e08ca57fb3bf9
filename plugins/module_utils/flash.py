"""Flashing a Jetson: boards in recovery mode, and what the flash tools' failures mean."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NVIDIA = "0955"
"""USB vendor id of NVIDIA."""


@dataclass(frozen=True)
class Module:
    """A Jetson module as USB shows it in recovery mode; its board configurations begin with ``family``."""

    name: str
    family: str


MODULES = {
    "7023": Module("AGX Orin", "jetson-agx-orin"),
    "7223": Module("AGX Orin 32GB", "jetson-agx-orin"),
    "7323": Module("Orin NX 16GB", "jetson-orin-nano"),
    "7423": Module("Orin NX 8GB", "jetson-orin-nano"),
    "7523": Module("Orin Nano 8GB", "jetson-orin-nano"),
    "7623": Module("Orin Nano 4GB", "jetson-orin-nano"),
}
"""USB product id in recovery mode → module. Orin NX and Orin Nano share their carrier board's configurations."""


@dataclass(frozen=True)
class Failure:
    """A line of a log (regular expression), and a sentence with cause and remedy."""

    pattern: str
    sentence: str


RECOVERY_AGAIN = "cut the board's power, bridge FC REC to GND, restore the power, and run the playbook again"

FAILURES = (
    Failure(
        r"ERROR 40[134]:",
        "The server refuses the download (see the log): NVIDIA sometimes moves its files or asks for a login. "
        "Set jetson_flash_bsp_url and jetson_flash_rootfs_url to where they are, or put the files into the cache.",
    ),
    Failure(
        r"(Connection closed|Read error) at byte",
        "The download was cut off; what arrived is kept. Run the playbook again to resume it.",
    ),
    Failure(
        r"unable to resolve host address|failed: (Connection|No route|Network)|certificate verif|cannot verify",
        "The flashing host can't reach the download server: check its network, its proxy and its certificates.",
    ),
    Failure(
        r"No space left on device|/cow: .*full|[Dd]isk quota exceeded",
        "The flashing host's disk is full. Images need some 40 GB; a live system started from USB has only its memory "
        "(/cow): use an installed Ubuntu, or set jetson_flash_dir to a bigger disk.",
    ),
    Failure(
        r"too many devices in RCM mode|Too many devices in RCM mode",
        "The flash tool saw more than one board in recovery mode and this release can't choose: leave one board "
        "plugged in at a time.",
    ),
    Failure(
        r"No devices to flash|probing the target board failed|No Board Spec\. and no target connected",
        f"The board is no longer in recovery mode: {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"might be timeout in USB write|Reading board information failed|[Cc]ould not retrieve board information",
        "The board stopped answering over USB while its data was read. Use a short data cable directly into the "
        "machine, no hub, no virtual machine and no WSL, and turn USB autosuspend off "
        f"(echo -1 > /sys/module/usbcore/parameters/autosuspend); then {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"NFS port is blocked by UFW",
        "The flashing host's firewall blocks NFS, which carries the image to the board: allow it on the USB network "
        "(ufw allow in on usb0) and run the playbook again.",
    ),
    Failure(
        r"cannot mount the NFS server|exportfs: Failed to stat|NFS server is not running"
        r"|Not starting NFS kernel daemon",
        "The board could not read the image from the flashing host over NFS. Remove stale lines from /etc/exports, "
        f"keep the firewall and any VPN off the USB network, load nfsd (modprobe nfsd); then {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"IPv6 is disabled",
        "The flash tool reaches the board over IPv6, which is off on the flashing host: "
        "sysctl net.ipv6.conf.all.disable_ipv6=0, then run the playbook again.",
    ),
    Failure(
        r"[Cc]ould not find nvme|nvme0n1.*(No such file or directory|not found)|Cannot find .*nvme",
        "The board shows no NVMe drive: check that it sits in its slot, or set jetson_flash_storage: sd for a board "
        f"with a card; then {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"Device ping failed after RCM boot|cannot connect to its ssh server"
        r"|Waiting for target to boot-up\.\.\.\s+Timeout",
        "The board got its first program but never came back as a network device. A virtual machine loses it when it "
        "re-enumerates; a firewall hides it; erasing a whole NVMe drive first (jetson_flash_erase_all) can outlast "
        f"the tool's 120 seconds. Use a physical Ubuntu machine without erase_all; then {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"/dev/\w+ is mounted|[Dd]evice or resource busy|partprobe failed",
        "The flashing host's desktop mounted the board's disk: stop udisks2 (the role does it where it runs "
        f"as a service) and close file managers; then {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"libmtd: error|flash_erase: error|MEMERASE",
        "The board's firmware flash (QSPI) could not be erased: it is write-protected or worn. Remove the protection; "
        "flash.sh leaves it as it is, so flash with jetson_flash_storage: nvme, which erases it from a kernel.",
    ),
    Failure(
        r"BootRom is not running",
        f"The board's boot program did not answer, because of what an earlier attempt left: {RECOVERY_AGAIN}.",
    ),
    Failure(
        r"[Mm]ismatch.*board family|board family.*mismatch",
        "The board configuration is not for this board: set jetson_flash_board for the host.",
    ),
    Failure(
        r"exec format error|Exec format error|qemu-aarch64-static: not found",
        "The flashing host can't run the board's programs: install qemu-user-static and binfmt-support there.",
    ),
    Failure(
        r"ERROR (xmlstarlet|sshpass|abootimg|zstd) not found|(\w+): command not found",
        "A program that the flash tools need is missing on the flashing host: see the log, install it, "
        "and run the playbook again.",
    ),
)
"""The most specific first: a log may contain several."""


def boards_on_bus(devices: Path) -> list[dict[str, Any]]:
    """Return the boards in recovery mode, by USB path (``bus-port.port``).

    Args:
        devices: The kernel's folder of USB devices, ``/sys/bus/usb/devices``; it may be absent.

    Returns:
        For each board ``path``, ``id`` (vendor:product), ``name`` and ``family``.
    """

    def read(device: Path, name: str) -> str:
        file = device / name
        return file.read_text().strip() if file.is_file() else ""

    found = []
    for device in sorted(devices.iterdir()) if devices.is_dir() else []:
        product = read(device, "idProduct")
        bus, port = read(device, "busnum"), read(device, "devpath")
        if read(device, "idVendor") == NVIDIA and product in MODULES and bus and port:
            found.append({"path": f"{bus}-{port}", "id": f"{NVIDIA}:{product}", **asdict(MODULES[product])})
    return found


def explain(log: str) -> str:
    """Return the sentence for the failure that a log shows, or the log's last line for an unknown one."""
    for failure in FAILURES:
        if re.search(failure.pattern, log):
            return failure.sentence
    words = [line.strip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    return f"The failure is unknown; the log ends with: {words[-1] if words else 'nothing at all'}"


def succeeded(log: str, pattern: str) -> bool:
    """Return whether the log contains what a success prints (regular expression; an empty one always matches)."""
    return re.search(pattern, log) is not None
