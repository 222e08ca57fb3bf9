"""What is known of flashing: boards on the bus, the sentence for each failure, the steps that are shown, the plan."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flash
import flash_command
import jetson_flash as filters
import jetson_usb
import pytest
from plugin_runner import RunModule

PROJECT = Path(__file__).parents[2]

LOGS = {
    "2026-11-22 22:50:01 ERROR 404: Not Found.": "asks for a login",
    "wget: unable to resolve host address 'developer.nvidia.com'": "can't reach the download server",
    "Connecting to 192.0.2.1:443... failed: Connection refused.": "can't reach the download server",
    "2026-11-22 22:50:01 (9.5 MB/s) - Connection closed at byte 1200. Giving up.": "again to resume it",
    "cp: error writing 'system.img': No space left on device": "disk is full",
    "Error, too many devices in RCM mode\nFor signing and flashing, only one": "one board plugged in",
    "No devices to flash\nCleaning up...": "no longer in recovery mode",
    "Error: probing the target board failed.\n       Make sure the target board is connected": "bridge FC REC to GND",
    "[   0.1213 ] ERROR: might be timeout in USB write.\nError: Return value 3": "no hub, no virtual machine",
    "--- Error: Reading board information failed.": "short data cable",
    "16:12:15 - Error: NFS port is blocked by UFW. Please allow NFS port in UFW.": "ufw allow",
    "Flash failure\nEither the device cannot mount the NFS server on the host or a flash": "over NFS",
    "exportfs: Failed to stat /home/u/JetPack: No such file or directory": "stale lines from /etc/exports",
    "IPv6 is disabled. Please enable ipv6 to use this tool": "sysctl net.ipv6",
    "ERR: could not find nvme0n1": "no NVMe drive",
    "blockdev: cannot open /dev/nvme0n1: No such file or directory": "no NVMe drive",
    "Waiting for target to boot-up...\nTimeout\nDevice ping failed after RCM boot.": "never came back",
    "ERR: partprobe failed after partitioning /dev/sdb": "stop udisks2",
    "libmtd: error!: MEMERASE64 ioctl failed for eraseblock 0 (mtd0)": "QSPI",
    "[   8.6523 ] BootRom is not running\n[  14.2179 ]\n[  15.2235 ] tegrarcm_v2 --isapplet": "earlier attempt",
    "Error: The Actual board family (t186ref) mismatches intended board family(t234ref).": "jetson_flash_board",
    "chroot: failed to run command 'dpkg': Exec format error": "qemu-user-static",
    "ERROR xmlstarlet not found! To install - please run:": "missing on the flashing host",
}
"""Lines as the tools print them → a part of the sentence that a person gets."""

ORIN_NANO = {"path": "1-4.2", "id": "0955:7523", "name": "Orin Nano 8GB", "family": "jetson-orin-nano"}
WANTED = {
    "flasher": "flasher-01",
    "release": "36.4.3",
    "board": "jetson-orin-nano-devkit-super",
    "storage": "nvme",
    "user": "admin",
    "force": False,
    "allow_not_super": False,
}
NOT_SUPER = "jetson-orin-nano-devkit"
UNREACHED = {"msg": "timed out waiting for ping module test", "elapsed": 10}
OTHER_KEY = {"msg": "timed out waiting for ping module test: Data could not be sent. Host key verification failed."}


def device(folder: Path, name: str, **files: str) -> None:
    """One entry of the kernel's folder of USB devices."""
    (folder / name).mkdir(parents=True)
    for file, content in files.items():
        (folder / name / file).write_text(f"{content}\n")


def test_boards_are_found_by_id_and_path(tmp_path: Path, run_module: RunModule) -> None:
    device(tmp_path, "usb1", idVendor="1d6b", idProduct="0002", busnum="1", devpath="0")
    device(tmp_path, "1-4.2", idVendor="0955", idProduct="7523", busnum="1", devpath="4.2")
    device(tmp_path, "1-4.2:1.0", bInterfaceClass="ff")
    device(tmp_path, "2-1", idVendor="0955", idProduct="7020", busnum="2", devpath="1")  # a Jetson that has booted
    device(tmp_path, "3-1", idVendor="0955", idProduct="7023", busnum="3", devpath="1")
    boards = run_module(jetson_usb, devices=str(tmp_path))["boards"]
    assert boards[0] == ORIN_NANO
    assert [(board["path"], board["name"]) for board in boards] == [("1-4.2", "Orin Nano 8GB"), ("3-1", "AGX Orin")]


def test_a_host_without_usb_has_no_boards(tmp_path: Path, run_module: RunModule) -> None:
    assert run_module(jetson_usb, devices=str(tmp_path / "none"))["boards"] == []


@pytest.mark.parametrize(("log", "part"), LOGS.items(), ids=lambda text: text[:40])
def test_each_failure_has_its_sentence(log: str, part: str) -> None:
    assert part in flash.explain(f"copying bctfile... done.\n{log}\nCleaning up...\n")


@pytest.mark.parametrize(
    ("log", "part"),
    [
        (
            "Connection closed at byte 9. Retrying.\nConnecting to a... failed: Connection refused.",
            "again to resume it",
        ),
        ("Connecting to a... failed: Connection timed out.\nRetrying.\nGiving up.", "can't reach the download server"),
    ],
)
def test_a_cut_off_download_is_told_from_a_server_out_of_reach(log: str, part: str) -> None:
    assert part in flash.explain(log)


def test_every_row_of_the_table_is_tried() -> None:
    told = {flash.explain(log) for log in LOGS}
    assert told == {failure.sentence for failure in flash.FAILURES}


def test_an_unknown_failure_is_told_by_its_last_words() -> None:
    assert "the log ends with: something new" in flash.explain("so far so good\nsomething new\n\n")
    assert "nothing at all" in flash.explain("")


@pytest.mark.parametrize(
    ("properties", "log", "part"),
    [
        ({"Result": "success", "SubState": "exited"}, "Flash is successful\n", ""),
        ({"Result": "success", "SubState": "exited"}, "Cleaning up...\n", "the log ends with: Cleaning up..."),
        (
            {"Result": "exit-code", "SubState": "failed"},
            "Flash is successful\nNo devices to flash\n",
            "no longer in recovery",
        ),
        ({"Result": "timeout", "SubState": "failed"}, "BootRom is not running\n", "did not end within 60 s"),
        ({"Result": "success", "SubState": "dead"}, "Flash is successful\n", "stopped on the flashing host"),
    ],
)
def test_a_program_is_judged_by_its_end_and_by_its_log(properties: dict[str, str], log: str, part: str) -> None:
    module = SimpleNamespace(params={"success": "Flash is successful", "seconds": 60})
    sentence = flash_command.judge(module, properties, log)
    assert part in sentence
    assert bool(part) == bool(sentence)


def test_progress_shows_steps_once_and_every_tenth_per_cent() -> None:
    # By its path: the module of the same name is on the tests' path.
    spec = importlib.util.spec_from_file_location("flash_action", PROJECT / "plugins/action/flash_command.py")
    assert spec
    assert spec.loader
    action = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(action)
    progress = action.Progress()
    log = (
        "***************\n*  Step 3: Start the flashing process *\nWaiting for target to boot-up...\n"
        "Waiting for target to boot-up...\n[ 12.1 ] copying blah\n\r 1.0%\r 2.0%\r#### 11.9%\r 12.0%\r 100.0%\n"
        "Formatting APP partition /dev/nvme0n1p1 ...\nFlash is successful\n"
    )
    shown = [line for start in range(0, len(log), 7) for line in progress.feed(log[start : start + 7])]
    assert shown == [
        "Step 3: Start the flashing process",
        "Waiting for target to boot-up",
        "1 %",
        "11 %",
        "100 %",
        "Formatting APP partition /dev/nvme0n1p1",
        "Flash is successful",
    ]


def host(**values: Any) -> dict[str, Any]:
    """A board's variables: plugged in, and not answering unless told otherwise."""
    return {"jetson_flash_usb_path": "1-4.2", "__jetson_flash_reached": UNREACHED, "ansible_user": "admin", **values}


def running(release: str, is_super: bool = True) -> dict[str, Any]:
    """The variables of a board that answers over SSH."""
    facts = {"jetson": {"l4t": {"release": release}, "board": {"super": is_super}}}
    return host(__jetson_flash_reached={"elapsed": 1}, ansible_facts=facts)


@pytest.mark.parametrize(
    ("values", "on_bus", "wanted", "state", "part"),
    [
        (host(), [ORIN_NANO], {}, "flash", "at USB 1-4.2: its firmware (QSPI) and all of its NVMe drive"),
        (host(jetson_flash_storage="sd"), [ORIN_NANO], {}, "flash", "all of its SD card"),
        (host(), [], {}, "missing", "bridge FC REC to GND"),
        (host(), [{**ORIN_NANO, "path": "1-1"}], {}, "missing", "not in recovery mode at USB 1-4.2"),
        (running("36.4.3"), [], {}, "ready", "already runs L4T 36.4.3"),
        (running("36.4.3"), [ORIN_NANO], {}, "ready", "already runs"),
        (running("36.4.3"), [ORIN_NANO], {"force": True}, "flash", "its firmware"),
        (running("36.4.3"), [], {"force": True}, "missing", "is to be flashed again"),
        (running("36.4.3", is_super=False), [], {}, "missing", "without the super configuration"),
        (running("35.4.1"), [], {}, "missing", "runs L4T 35.4.1 and is not in recovery mode"),
        (host(), [{**ORIN_NANO, "family": "jetson-agx-orin"}], {}, "refused", "is not for it"),
        (host(ansible_user="root"), [ORIN_NANO], {}, "refused", "the image gets the user admin"),
        (host(jetson_flash_board=NOT_SUPER), [ORIN_NANO], {}, "refused", f"jetson_flash_board to {NOT_SUPER}-super"),
        (host(), [], {"board": NOT_SUPER}, "refused", "would never get 25W"),
        (host(jetson_flash_board=NOT_SUPER), [ORIN_NANO], {"allow_not_super": True}, "flash", "its firmware"),
        (host(jetson_flash_storage="emmc"), [ORIN_NANO], {}, "refused", "emmc, which must be nvme or sd"),
        (host(jetson_flash_flasher=""), [ORIN_NANO], {}, "flash", "its firmware"),
        (host(__jetson_flash_reached=OTHER_KEY, ansible_host="192.0.2.11"), [], {}, "missing", "-R 192.0.2.11)"),
        (host(__jetson_flash_reached=OTHER_KEY), [ORIN_NANO], {}, "flash", "its firmware"),
    ],
)
def test_plan(values: Any, on_bus: list[Any], wanted: dict[str, Any], state: str, part: str) -> None:
    plan = filters.flash_plan(["jetson-001"], {"jetson-001": values}, on_bus, {**WANTED, **wanted})
    assert [item["state"] for item in plan] == [state]
    assert part in plan[0]["message"]


def test_boards_of_other_flashing_hosts_and_outside_the_limit_are_left_out() -> None:
    outside = {"jetson_flash_usb_path": "1-1"}
    hosts = {"a": host(jetson_flash_flasher="flasher-02"), "b": outside, "c": {}}
    assert filters.flash_plan(["a", "b", "c"], hosts, [ORIN_NANO], WANTED) == []
    assert filters.flash_homeless(["a", "b", "c"], hosts) == ["b"]
    assert "Orin Nano 8GB" in filters.flash_unclaimed([{**ORIN_NANO, "path": "9-9"}], hosts)[0]
    assert filters.flash_unclaimed([ORIN_NANO], hosts) == []


def test_commands() -> None:
    nvme = {"path": "1-4.2", "board": "jetson-orin-nano-devkit-super", "storage": "nvme"}
    typed = filters.flash_typed(filters.flash_argv(nvme, erase_all=False, rootfs_size=""), "/tree")
    assert typed == (
        "cd /tree && sudo ./tools/kernel_flash/l4t_initrd_flash.sh --usb-instance 1-4.2 --external-device nvme0n1p1 "
        "-c tools/kernel_flash/flash_l4t_t234_nvme.xml -p '-c bootloader/generic/cfg/flash_t234_qspi.xml' "
        "--network usb0 jetson-orin-nano-devkit-super internal"
    )
    assert {"--erase-all", "-S", "220GiB"} <= set(filters.flash_argv(nvme, erase_all=True, rootfs_size="220GiB"))
    card = filters.flash_argv({**nvme, "storage": "sd"}, erase_all=False, rootfs_size="")
    assert card == ["./flash.sh", "--usb-instance", "1-4.2", "jetson-orin-nano-devkit-super", "internal"]


def test_pinned_sum_goes_before_the_recorded_one() -> None:
    recorded = f"{'a' * 64}  bsp_r36.4.3.tbz2\n{'b' * 64}  rootfs.tbz2\n"
    assert filters.flash_checksum(["", "bsp_r36.4.3.tbz2"], recorded) == "a" * 64
    assert filters.flash_checksum(["c" * 64, "bsp_r36.4.3.tbz2"], recorded) == "c" * 64
    assert filters.flash_checksum(["", "bsp_r36x4.3.tbz2"], recorded) == ""


def test_a_flashed_board_is_ready_only_once_checked() -> None:
    outcome = {"name": "a", "state": "flashed", "message": "a was flashed.", "path": "1-1", "seconds": 5}
    hosts = {
        "a": {"__jetson_flash_outcome": outcome, "__jetson_flash_checked": ""},
        "b": {"__jetson_flash_outcome": {**outcome, "name": "b"}},
        "c": {"__jetson_flash_outcome": {**outcome, "name": "c"}, "__jetson_flash_checked": "Its clock is wrong."},
        "d": {"__jetson_flash_outcome": {**outcome, "name": "d", "state": "missing", "message": "d is missing."}},
    }
    results = filters.flash_results(list(hosts), hosts, "36.4.3")
    assert [(result["host"], result["state"], result["ok"]) for result in results] == [
        ("a", "flashed", True),
        ("b", "unchecked", False),
        ("c", "unchecked", False),
        ("d", "missing", False),
    ]
    assert "did not come back" in results[1]["message"]
    assert "Its clock is wrong." in results[2]["message"]
