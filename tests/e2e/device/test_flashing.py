"""Flashing three boards: one fine, one not in recovery mode, one that fails half way. In the order of an afternoon."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator

import jsonschema
import pytest
from flash_bench import BOARDS, BSP, FLASHER, ROOTFS, Bench
from support.virtual import PROJECT

pytestmark = pytest.mark.device

TREE = "/var/lib/jetson-flash/36.4.3/Linux_for_Tegra"
CONFIRM = ("-e", "jetson_flash_confirm=jetson-flash-01,jetson-flash-03")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("flash"))
    try:
        made.make()
        yield made
    finally:
        made.remove()


def plain(output: str) -> str:
    """A play's output without colours, as one line: sentences break anywhere."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", output).split())


def changed(output: str) -> int:
    """How many changes the recap counts."""
    return sum(map(int, re.findall(r"changed=(\d+)", output)))


def test_check_prints_the_exact_commands_and_does_nothing(bench: Bench) -> None:
    checked = bench.flash("--check", "--diff")
    assert checked.returncode == 0, checked.stdout
    told = plain(checked.stdout)
    assert f"--output-document=/var/lib/jetson-flash/cache/{BSP}.part {bench.url}/{BSP}" in told
    assert f"cd {TREE} && sudo ./apply_binaries.sh" in told
    assert "./tools/kernel_flash/l4t_initrd_flash.sh --usb-instance 1-1 --external-device nvme0n1p1" in told
    assert bench.server.served == []
    assert bench.shell("ls -d /var/lib/jetson-flash /var/log/jetson-flash 2>/dev/null || true") == ""


def test_nothing_is_erased_without_confirmation(bench: Bench) -> None:
    stopped = bench.flash("-e", "jetson_flash_confirm=jetson-flash-01")
    told = plain(stopped.stdout)
    assert stopped.returncode != 0
    assert "jetson-flash-01: Orin Nano 8GB at USB 1-1: its firmware (QSPI) and all of its NVMe drive" in told
    assert "Nothing was written." in told
    assert "not confirmed yet: jetson-flash-03" in told
    assert bench.server.served == []


def test_one_flipped_bit_is_refused(bench: Bench) -> None:
    bench.checksums.write_text(f"{'0' * 64}  other.tbz2\n{bench.sum(ROOTFS)}  {ROOTFS}\n")
    bench.server.flip.add(ROOTFS)
    refused = bench.flash(*CONFIRM)
    bench.server.flip.clear()
    told = plain(refused.stdout)
    assert refused.returncode != 0
    assert f"{bench.sum(ROOTFS)} is pinned in {bench.checksums}" in told, refused.stdout
    assert "was damaged, or the server gave another file. It was removed and nothing was flashed." in told
    assert bench.shell("ls /var/lib/jetson-flash/cache") == BSP
    bench.checksums.unlink()
    bench.server.served.clear()


def test_the_first_is_flashed_and_the_others_are_reported(bench: Bench) -> None:
    # What interrupted runs leave: a part of an archive; half a tree, with the machine's own /dev mounted in it.
    cache = f"/var/lib/jetson-flash/cache/{BSP}"
    bench.shell(f"head --bytes={bench.part(BSP, 0.4)} {cache} >{cache}.part && rm {cache}")
    left = f"{TREE}/rootfs"
    bench.shell(f"mkdir -p {left}/dev {left}/etc && touch {left}/stray && mount --bind /dev {left}/dev")
    bench.server.cut[BSP] = 0.6
    done = bench.flash(*CONFIRM)
    told = plain(done.stdout)

    assert done.returncode != 0
    assert "2 of 3 boards are not ready." in told, done.stdout
    results = bench.results()
    schema = json.loads((PROJECT / "files/schemas/flash.json").read_text())
    for result in results.values():
        jsonschema.validate(result, schema, format_checker=jsonschema.FormatChecker())
    assert {host: result["state"] for host, result in results.items()} == {
        "jetson-flash-01": "flashed",
        "jetson-flash-02": "missing",
        "jetson-flash-03": "failed",
    }
    assert "jetson-flash-02 is not in recovery mode at USB 1-4.2" in told
    assert (
        "jetson-flash-03 was not flashed. The board could not read the image from the flashing host over NFS." in told
    )

    # Live, and the tool's own log.
    steps = re.findall(r"\d\d:\d\d:\d\d jetson-flash-01: (.*)", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    assert steps[0] == "Step 1: Generate flash packages"
    assert {"10 %", "50 %", "100 %", "Flash is successful"} <= {step.strip() for step in steps}
    assert "Either the device cannot mount" in (bench.folder / "artifacts/jetson-flash-03.log").read_text()

    # What the first board has become.
    assert bench.log_in(
        "jetson-flash-01", "hostname; cat /etc/timezone; sudo id -u; . /etc/default/locale; echo $LANG"
    ) == ("jetson-flash-01\nEtc/UTC\n0\nen_US.UTF-8")
    assert bench.log_in("jetson-flash-01", "sudo getent shadow admin").split(":")[1] == "*"


def test_the_download_was_resumed_and_its_sum_recorded(bench: Bench) -> None:
    there, cut, whole = (bench.part(BSP, share) for share in (0.4, 0.6, 1))
    assert [part for part in bench.server.served if part[0] == BSP] == [(BSP, there, cut), (BSP, cut, whole)]
    assert sorted(bench.checksums.read_text().split()) == sorted([bench.sum(BSP), BSP, bench.sum(ROOTFS), ROOTFS])


def test_the_tree_is_whole(bench: Bench) -> None:
    assert bench.shell("test -c /dev/null && echo there") == "there"
    assert bench.shell(f"ls -A {TREE}/rootfs") == "README.txt\netc\nhome"
    assert bench.shell(f"stat -c '%u %g %a' {TREE}/rootfs/etc/special") == "33 44 2750"
    read = f"import os; print(os.getxattr('{TREE}/rootfs/etc/special', 'user.maie').decode())"
    assert bench.shell(f'python3 -c "{read}"') == "kept"


def test_an_interrupted_play_does_not_interrupt_its_program(bench: Bench) -> None:
    program = "echo ran >>/root/ran; echo 10%; until [ -e /root/go ]; do sleep 0.2; done; echo 30%"
    first = bench.start_program("try", program)
    while bench.shell("cat /root/ran 2>/dev/null || true") != "ran":
        assert first.poll() is None
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    refused = bench.flash(*CONFIRM)
    assert refused.returncode != 0
    assert "jetson-flash-try.service on flasher-01 is still at work from an interrupted run" in plain(refused.stdout)
    second = bench.start_program("try", program)
    assert second.stdout is not None
    assert any("try: 10 %" in line for line in second.stdout)  # it follows the program
    bench.shell("touch /root/go")
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "try: 30 %" in told
    assert bench.shell("cat /root/ran") == "ran"


def test_a_second_run_does_only_what_is_missing(bench: Bench) -> None:
    bench.server.served.clear()
    made = bench.shell(f"stat -c %Z {TREE}/../.prepared")
    host_key = bench.log_in("jetson-flash-01", "cat /etc/ssh/ssh_host_ed25519_key.pub")
    bench.boot("jetson-flash-02", jumper=True)
    bench.boot("jetson-flash-03", jumper=True)
    # The desktop's automounter, as an interrupted run leaves it: stopped, for the next run to start.
    bench.shell("printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/run/systemd/system/udisks2.service")
    bench.shell("systemctl daemon-reload; touch /run/jetson-flash.automounter-stopped")
    done = bench.flash("-e", "jetson_flash_confirm=jetson-flash-02,jetson-flash-03")
    assert done.returncode == 0, done.stdout
    assert {host: result["state"] for host, result in bench.results().items()} == {
        "jetson-flash-01": "ready",
        "jetson-flash-02": "flashed",
        "jetson-flash-03": "flashed",
    }
    for board in BOARDS:
        assert bench.log_in(board, "hostname; getent hosts 127.0.1.1").split() == [board, "127.0.1.1", board]
    assert "has been flashed successfully" in (bench.folder / "artifacts/jetson-flash-02.log").read_text()
    assert bench.shell("systemctl is-active udisks2.service") == "active"
    assert bench.server.served == []
    assert bench.shell(f"stat -c %Z {TREE}/../.prepared") == made
    assert bench.log_in("jetson-flash-01", "cat /etc/ssh/ssh_host_ed25519_key.pub") == host_key


def test_a_third_run_changes_nothing(bench: Bench) -> None:
    done = bench.flash()
    assert done.returncode == 0, done.stdout
    assert changed(done.stdout) == 0
    assert {result["state"] for result in bench.results().values()} == {"ready"}
    assert FLASHER in done.stdout
