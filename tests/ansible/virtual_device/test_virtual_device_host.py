"""A whole virtual host: made, booted, rebooted, killed and removed, with the machine that carries it untouched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.device

ROOT = Path(__file__).resolve().parents[3]
NAME = "virtual-device-test"
PLAYBOOK = "playbooks/virtual.yml"

PROBE = """
import os, socket, time
secret = open(os.environ["CREDENTIALS_DIRECTORY"] + "/key").read().strip()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
try:
    open("/etc/written", "w")
    writable = "writable"
except OSError:
    writable = "read-only"
notify.send(f"READY=1\\nSTATUS={secret} {os.getuid()} {writable}".encode())
time.sleep(3600)
"""

UNIT = """
[Service]
Type=notify
NotifyAccess=all
DynamicUser=yes
LoadCredential=key:/etc/probe-key
WatchdogSec=2
Restart=always
RestartSec=0
ProtectSystem=strict
PrivateUsers=yes
ProtectProc=invisible
MemoryMax=200M
ExecStart=/usr/bin/python3 /usr/local/bin/probe
"""


class Host:
    """A virtual host of its own inventory."""

    def __init__(self, folder: Path, **variables: object) -> None:
        self.inventory = folder / "hosts.yml"
        self.variables = {
            "ansible_connection": "community.docker.docker",
            "ansible_python_interpreter": "/usr/bin/python3",
            "maie_address": "10.213.95.201",
            "virtual_host_network": "maie-probe",
            "virtual_host_subnet": "10.213.95.0/24",
            **variables,
        }
        self.inventory.write_text(yaml.safe_dump({"virtual": {"hosts": {NAME: self.variables}}}))

    def play(self, playbook: str, *arguments: str) -> str:
        program = Path(sys.executable).with_name("ansible-playbook")
        command = (str(program), "-i", str(self.inventory), playbook, *arguments)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, script: str) -> str:
        done = docker("exec", "--interactive", NAME, "sh", "-euc", script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        command = ("docker", "exec", "--interactive", NAME, "tee", path)
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    def restart(self) -> None:
        assert docker("restart", NAME).returncode == 0
        self.wait_until_up()

    def wait_until_up(self) -> None:
        self.run("/usr/lib/maie-virtual/up 60")


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("docker", *arguments), capture_output=True, text=True)


def machine_state() -> dict[str, str]:
    """Swap and memory settings of the machine that carries the host."""
    files = [Path("/proc/swaps"), *sorted(Path("/proc/sys/vm").iterdir())]
    return {str(file): file.read_text() for file in files if file.stat().st_mode & 0o444}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("inventory"))
    host.play(PLAYBOOK)
    yield host
    host.play(PLAYBOOK, "-e", "virtual_host_state=absent")
    assert docker("inspect", NAME).returncode != 0


def reboot(host: Host, folder: Path) -> str:
    """Reboot as a role does it."""
    playbook = folder / "reboot.yml"
    task = {"ansible.builtin.reboot": {"reboot_timeout": 60}}
    playbook.write_text(yaml.safe_dump([{"hosts": "virtual", "gather_facts": False, "tasks": [task]}]))
    printed = host.play(str(playbook))
    host.wait_until_up()
    return printed


def test_boots_without_a_failed_unit_and_second_run_changes_nothing(host: Host) -> None:
    assert host.run("systemctl is-system-running") == "running"
    recap = [line for line in host.play(PLAYBOOK).splitlines() if line.startswith(NAME)]
    assert "changed=0" in recap[-1]


def test_check_of_a_missing_host_says_so_and_makes_nothing(host: Host, tmp_path: Path) -> None:
    other = tmp_path / "hosts.yml"
    other.write_text(host.inventory.read_text().replace(NAME, f"{NAME}-other"))
    host.inventory, inventory = other, host.inventory
    try:
        assert "Would make what is missing" in host.play(PLAYBOOK, "--check", "--diff")
    finally:
        host.inventory = inventory
    assert docker("inspect", f"{NAME}-other").returncode != 0


def test_unit_gets_credential_user_watchdog_sandbox_and_memory_limit(host: Host) -> None:
    host.write("/etc/probe-key", "secret\n")
    host.run("chmod 400 /etc/probe-key")
    host.write("/usr/local/bin/probe", PROBE)
    host.write("/etc/systemd/system/probe.service", UNIT)
    host.run("systemctl daemon-reload && systemctl start probe")
    secret, user, writable = host.run("systemctl show --value -p StatusText probe").split()
    assert (secret, writable) == ("secret", "read-only")
    assert int(user) != 0
    assert host.run("systemctl show --value -p MemoryMax probe") == str(200 * 1024 * 1024)
    restarts = "until [ $(systemctl show --value -p NRestarts probe) -gt 0 ]; do sleep 0.2; done"
    host.run(f"timeout 20 sh -c '{restarts}'; journalctl --no-pager -u probe | grep -q \"result 'watchdog'\"")
    host.run("systemctl stop probe")


def test_units_and_swap_are_those_of_a_stock_board(host: Host) -> None:
    assert host.run("systemctl get-default; systemctl is-active graphical.target") == "graphical.target\nactive"
    assert host.run("systemctl is-active gdm cups.socket snapd nvargus-daemon nvgetty").split() == ["active"] * 5
    assert host.run("systemctl is-enabled cups.path avahi-daemon nvzramconfig").split() == ["enabled"] * 3
    sizes = host.run("swapon --noheadings --bytes --show=NAME,SIZE").splitlines()
    assert [line.split()[0] for line in sizes] == [f"/dev/zram{number}" for number in range(6)]
    assert {line.split()[1] for line in sizes} == {str(650236 * 1024)}
    assert host.run("dpkg-query -W -f '${Version}' nvidia-l4t-kernel") == "5.15.148-tegra-36.4.3-20250107174145"
    assert host.run("ls /sys/class/net") == "eth0\nlo"


def test_state_outlives_a_reboot_and_the_machine_notices_nothing(host: Host, tmp_path: Path) -> None:
    before = machine_state()
    host.run(
        "systemctl disable --quiet nvzramconfig; swapoff --all;"
        "nvpmodel -m 2; fallocate -l 64M /swapfile; chmod 600 /swapfile; mkswap -q /swapfile;"
        "swapon /swapfile; echo '/swapfile none swap sw 0 0' >> /etc/fstab;"
        "sysctl -q -w vm.swappiness=10; echo vm.swappiness=5 > /etc/sysctl.d/90-test.conf"
    )
    boot = host.run("cat /proc/sys/kernel/random/boot_id")
    assert "changed=1" in reboot(host, tmp_path)
    assert host.run("cat /proc/sys/kernel/random/boot_id") != boot
    assert host.run("nvpmodel -q") == "NV Power Mode: MAXN_SUPER\n2"
    assert host.run("cat /sys/devices/platform/17000000.gpu/devfreq_dev/max_freq") == "1020000000"
    assert host.run("awk '/SwapTotal/ {print $2}' /proc/meminfo") == str(64 * 1024 - 4)
    assert host.run("swapon --noheadings --show=NAME") == "/swapfile"
    assert host.run("sysctl -n vm.swappiness") == "5"
    assert machine_state() == before


def test_comes_back_after_it_was_killed(host: Host) -> None:
    host.run("echo kept > /root/kept")
    assert docker("kill", NAME).returncode == 0
    assert docker("start", NAME).returncode == 0
    host.wait_until_up()
    assert host.run("cat /root/kept; systemctl is-system-running") == "kept\nrunning"


def test_packages_come_from_the_mirror_and_the_index(host: Host) -> None:
    host.run("apt-get update -q && apt-get install -q -y --no-install-recommends hello")
    host.run("python3 -m venv /root/venv && /root/venv/bin/pip install -q idna")
    assert host.run("hello -t; /root/venv/bin/python -c 'import idna; print(1)'") == "hello, world\n1"


def test_failed_unit_is_named(host: Host) -> None:
    host.write("/etc/systemd/system/broken.service", "[Service]\nExecStart=/bin/false\n")
    host.run("systemctl daemon-reload; systemctl start broken; sleep 0.5")
    done = docker("exec", NAME, "/usr/lib/maie-virtual/up", "5")
    assert done.returncode == 1
    assert "broken.service" in done.stderr
    host.run("rm /etc/systemd/system/broken.service; systemctl reset-failed; systemctl daemon-reload")


def test_faults_of_the_inventory_reach_programs_and_files(host: Host) -> None:
    faults = {"nvpmodel_fails": True, "l4t_release": "36.4.7", "root_on_sd": True, "disk_full": "/srv"}
    host.run("echo there > /srv/file")
    host.play(PLAYBOOK, "-e", json.dumps({"virtual_host_faults": faults}))
    assert docker("exec", NAME, "nvpmodel", "-m", "0").returncode != 0
    host.restart()
    assert host.run("dpkg-query -W -f '${Version}' nvidia-l4t-core") == "36.4.7-20250918154033"
    assert "REVISION: 4.7," in host.run("cat /etc/nv_tegra_release")
    for folder in ("/", "/srv"):
        number = int(host.run(f"stat -c %d {folder}"))
        link = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
        assert host.run(f"basename $(readlink -f {link})") == "mmcblk0p1"
    assert host.run("df --output=avail /srv | tail -1; cat /srv/file").split() == ["0", "there"]
    assert docker("exec", NAME, "sh", "-c", "echo x > /srv/more").returncode != 0
    host.write("/etc/maie-virtual/faults.yml", "{}\n")
    host.restart()
    assert docker("exec", NAME, "nvpmodel", "-m", "0").returncode == 0
    assert host.run("echo x > /srv/more; cat /sys/block/nvme0n1/nvme0n1p1/partition") == "1"
