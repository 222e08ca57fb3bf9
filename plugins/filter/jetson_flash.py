"""Filters of the flash play: which boards are flashed, and with which commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

RECOVERY = (
    "cut its power, bridge FC REC to GND (pins 9 and 10 of J14), connect its USB-C port to the flashing host, give it "
    "power, and run the playbook again"
)
ERASED = {"nvme": "all of its NVMe drive", "sd": "all of its SD card"}
SUCCESS = {"nvme": r"Flash is successful", "sd": r"has been flashed successfully"}


def flash_plan(
    names: list[str], hostvars: Mapping[str, Any], on_bus: list[dict[str, Any]], wanted: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return what to do with each board of a flashing host.

    Args:
        names: Hosts of the inventory. Only those with a USB path that this run has tried to reach count.
        hostvars: Ansible's variables of all hosts.
        on_bus: The boards in recovery mode, as the module ``jetson_usb`` returns them.
        wanted: ``flasher``, ``release``, ``board``, ``storage``, ``user``, ``force`` and ``allow_not_super``; a board's
            own ``jetson_flash_board`` and ``jetson_flash_storage`` override ``board`` and ``storage``.

    Returns:
        For each board ``name``, ``path``, ``board``, ``storage``, ``state`` (``ready``: runs the wanted release;
        ``flash``; ``missing``: not in recovery mode; ``refused``), ``message``, and ``module`` and ``id`` where it is
        in recovery mode.
    """
    found = {board["path"]: board for board in on_bus}
    plan = []
    for name in names:
        values = hostvars[name]
        path = values.get("jetson_flash_usb_path", "")
        flasher = values.get("jetson_flash_flasher") or wanted["flasher"]
        if not path or "__jetson_flash_reached" not in values or flasher != wanted["flasher"]:
            continue
        seen = found.get(path)
        item = {
            "name": name,
            "path": path,
            "board": values.get("jetson_flash_board", wanted["board"]),
            "storage": values.get("jetson_flash_storage", wanted["storage"]),
            "module": seen["name"] if seen else "",
            "id": seen["id"] if seen else "",
        }
        state, message = decide(item, seen, values, wanted)
        plan.append({**item, "state": state, "message": message})
    return plan


def misconfigured(item: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return what is wrong with a board's own variables, whatever its state; empty for nothing."""
    name, board, storage = item["name"], item["board"], item["storage"]
    if storage not in ERASED:
        return f"{name} has jetson_flash_storage: {storage}, which must be {' or '.join(ERASED)}."
    if "-super" not in board and not wanted["allow_not_super"]:
        return (
            f"{name} flashed as {board} would never get 25W or MAXN_SUPER until it is flashed again. "
            f"Set its jetson_flash_board to {board}-super, or jetson_flash_allow_not_super: true."
        )
    return ""


def decide(
    item: dict[str, Any], seen: dict[str, Any] | None, values: Mapping[str, Any], wanted: dict[str, Any]
) -> tuple[str, str]:
    """Return state and message for one board: ``seen`` in recovery mode or not, and with its host's ``values``."""
    wrong = misconfigured(item, wanted)
    if wrong:
        return "refused", wrong
    name, path, release = item["name"], item["path"], wanted["release"]
    user = values.get("ansible_user", wanted["user"])
    # wait_for_connection has a message only when nothing answered.
    unreached = values["__jetson_flash_reached"].get("msg")
    running = values.get("ansible_facts", {}).get("jetson", {}) if unreached is None else None
    has = (running or {}).get("l4t", {}).get("release")
    as_wanted = has == release and ("-super" not in item["board"] or bool(running and running["board"]["super"]))
    if as_wanted and not wanted["force"]:
        return "ready", f"{name} already runs L4T {release}."
    if seen and not item["board"].startswith(seen["family"]):
        return "refused", (
            f"At USB {path} is a module {seen['name']} ({seen['id']}), but the board configuration {item['board']} "
            f"is not for it: set jetson_flash_board or jetson_flash_usb_path of {name}."
        )
    if seen and user != wanted["user"]:
        return "refused", (
            f"Ansible connects to {name} as {user} (ansible_user), but the image gets the user {wanted['user']}: "
            "set jetson_flash_user to the same."
        )
    if seen:
        return "flash", f"{name}: {seen['name']} at USB {path}: its firmware (QSPI) and {ERASED[item['storage']]}"
    if as_wanted:
        return (
            "missing",
            f"{name} runs L4T {release} and is to be flashed again, but is not in recovery mode: {RECOVERY}.",
        )
    if running is not None:
        what = f"L4T {has}" if has else "something other than L4T"
        if has == release:
            what = f"L4T {has} without the super configuration"
        return "missing", f"{name} runs {what} and is not in recovery mode: {RECOVERY}."
    if "host key" in str(unreached).lower():
        address = values.get("ansible_host", name)
        return "missing", (
            f"{name} is not in recovery mode at USB {path}, and SSH does not accept the host key of what answers at "
            f"{address}. A flashed board has a new one: if it is that board, remove the old key "
            f"(ssh-keygen -R {address}), log in once (ssh {user}@{address}), and run the playbook again. To flash it: "
            f"{RECOVERY}."
        )
    return "missing", (
        f"{name} is not in recovery mode at USB {path}, and does not answer over SSH either: {RECOVERY}. "
        f"If it is, find its port with lsusb -t, and set its jetson_flash_usb_path."
    )


def flash_homeless(names: list[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Return the hosts that name a USB path but not the flashing host that has it."""
    plugged_in = [name for name in names if hostvars[name].get("jetson_flash_usb_path")]
    return [name for name in plugged_in if not hostvars[name].get("jetson_flash_flasher")]


def flash_fetch_argv(archive: Mapping[str, Any], folder: str, attempts: int) -> list[str]:
    """Return the command that downloads an archive, or the rest of it, to ``<folder>/cache/<its name>.part``.

    It resumes where an attempt of this or an earlier run stopped, and succeeds when nothing is left to download.
    """
    target = f"{folder}/cache/{archive['url'].rsplit('/', 1)[-1]}.part"
    command = ["wget", "--continue", f"--tries={attempts}", "--waitretry=10", "--timeout=60", "--progress=dot:mega"]
    return [*command, f"--output-document={target}", archive["url"]]


def flash_argv(item: dict[str, Any], erase_all: bool, rootfs_size: str) -> list[str]:
    """Return the flash tool's command for a board of the plan, to be run in ``Linux_for_Tegra``.

    A card is written by ``flash.sh``; an NVMe drive can only be written by the board's own kernel, started over USB.
    """
    usb = ["--usb-instance", item["path"]]
    if item["storage"] == "sd":
        return ["./flash.sh", *usb, item["board"], "internal"]
    command = ["./tools/kernel_flash/l4t_initrd_flash.sh", *usb, "--external-device", "nvme0n1p1"]
    command += ["-c", "tools/kernel_flash/flash_l4t_t234_nvme.xml"]
    command += ["-p", "-c bootloader/generic/cfg/flash_t234_qspi.xml", "--network", "usb0"]
    command += ["-S", rootfs_size] if rootfs_size else []
    command += ["--erase-all"] if erase_all else []
    return [*command, item["board"], "internal"]


def flash_success(item: dict[str, Any]) -> str:
    """Return a regular expression for what the log of a successful flash contains."""
    return SUCCESS[item["storage"]]


def flash_unclaimed(on_bus: list[dict[str, Any]], hostvars: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each board in recovery mode that no host in the inventory names."""
    claimed = {hostvars[name].get("jetson_flash_usb_path", "") for name in hostvars}
    return [
        f"At USB {board['path']} a module {board['name']} waits, but no host has this jetson_flash_usb_path."
        for board in on_bus
        if board["path"] not in claimed
    ]


def flash_results(names: list[str], hostvars: Mapping[str, Any], release: str) -> list[dict[str, Any]]:
    """Return each board's result, as ``files/schemas/flash.json`` describes it.

    A board that was flashed but neither passed nor failed its check was lost.
    """
    results = []
    for name in names:
        outcome = dict(hostvars[name]["__jetson_flash_outcome"])
        checked = hostvars[name].get("__jetson_flash_checked", "lost")
        if outcome["state"] == "flashed" and checked:
            outcome["state"] = "unchecked"
            lost = "it did not come back over SSH, or disappeared again: look at its screen or serial console."
            outcome["message"] += f" But {lost if checked == 'lost' else checked}"
        elif outcome["state"] == "flashed":
            outcome["message"] = f"{name} was flashed with L4T {release} and is ready."
        ok = outcome["state"] in ("ready", "flashed")
        results.append({"host": outcome.pop("name"), "ok": ok, "release": release, "time": now(), **outcome})
    return results


def now() -> str:
    """Return the current time in the results' format."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def flash_typed(step: Mapping[str, Any] | Sequence[str], folder: str = "") -> str:
    """Return a command as typed in a shell: a step with ``argv`` and ``chdir``, or arguments and a folder."""
    argv, chdir = (step["argv"], step["chdir"]) if isinstance(step, Mapping) else (step, folder)
    return f"cd {shlex.quote(chdir)} && sudo {shlex.join(argv)}"


def flash_checksum(archive: Sequence[str], recorded: str) -> str:
    """Return the SHA-256 that an archive must have; empty where none is known yet.

    Args:
        archive: The checksum from the variables (may be empty), and the file's name.
        recorded: Lines as ``sha256sum`` writes them.
    """
    pinned, name = archive
    lines = re.findall(rf"^([0-9a-f]{{64}})  {re.escape(name)}$", recorded, re.MULTILINE)
    return pinned or (lines[0] if lines else "")


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "flash_fetch_argv": flash_fetch_argv,
            "flash_homeless": flash_homeless,
            "flash_plan": flash_plan,
            "flash_argv": flash_argv,
            "flash_checksum": flash_checksum,
            "flash_success": flash_success,
            "flash_results": flash_results,
            "flash_typed": flash_typed,
            "flash_unclaimed": flash_unclaimed,
        }
