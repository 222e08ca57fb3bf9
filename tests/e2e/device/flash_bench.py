"""The bench of the flash test: NVIDIA's archives and their server, blank boards, and the cables between."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import subprocess
import tarfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from support.virtual import PROJECT, Play, docker, play, remove

INVENTORY = PROJECT / "tests/e2e/device/flashing"
DOUBLES = PROJECT / "files/virtual-device/flasher"
FLASHER = "flasher-01"
BOARDS = {"jetson-flash-01": "1-1", "jetson-flash-02": "1-4.2", "jetson-flash-03": "1-4.3"}
VOLUME = "maie-usb"
BSP = "Jetson_Linux_r36.4.3_aarch64.tbz2"
ROOTFS = "Tegra_Linux_Sample-Root-Filesystem_r36.4.3_aarch64.tbz2"
BALLAST = 2_000_000
"""Bytes that make the board-support package long enough to be cut."""
BREAKS = """Flash failure
Either the device cannot mount the NFS server on the host or a flash command has failed.
"""


def archive(folder: Path, target: Path) -> None:
    """Pack a folder of the doubles; a file of the root file system has an owner and an attribute of its own."""
    with tarfile.open(target, "w:bz2", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=owned_by_root)
        if target.name == ROOTFS:
            special = tarfile.TarInfo("etc/special")
            special.uid, special.gid, special.mode = 33, 44, 0o2750
            special.pax_headers = {"SCHILY.xattr.user.maie": "kept"}
            tar.addfile(special, io.BytesIO())
        else:
            ballast = tarfile.TarInfo("Linux_for_Tegra/bootloader/ballast")
            content = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(BALLAST // 32))
            ballast.size = len(content)
            tar.addfile(ballast, io.BytesIO(content))


def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """NVIDIA's archives know no user of this machine."""
    member.uid = member.gid = 0
    return member


@dataclass
class Server:
    """A web server of one folder that knows ranges, and can cut an answer off or flip a bit of it."""

    folder: Path
    cut: dict[str, float] = field(default_factory=dict)
    flip: set[str] = field(default_factory=set)
    served: list[tuple[str, int, int]] = field(default_factory=list)

    def start(self) -> str:
        """Serve in the background; return the address for the virtual hosts."""
        bench = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                content = bytearray((bench.folder / name).read_bytes())
                if name in bench.flip:
                    content[len(content) // 2] ^= 1
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(asked[1]) if asked else 0
                self.send_response(206 if asked else 200)
                if asked:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                end = int(len(content) * bench.cut.pop(name)) if name in bench.cut else len(content)
                self.wfile.write(content[start:end])
                bench.served.append((name, start, end))
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
        address = docker("inspect", "--format", gateway, FLASHER).strip()
        return f"http://{address}:{self.http.server_port}"


class Bench:
    """The flashing host and its boards; ``folder`` is the operator's: key, known hosts, archives, recorded sums."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        (folder / "web").mkdir()
        archive(DOUBLES / "bsp", folder / "web" / BSP)
        archive(DOUBLES / "sample-rootfs", folder / "web" / ROOTFS)
        self.server = Server(folder / "web")
        self.checksums = folder / "flash-checksums.txt"

    def make(self) -> None:
        """Make the hosts, take the boards' system away, and lay the cables."""
        docker("volume", "create", VOLUME)
        made = play("playbooks/virtual.yml", inventory=INVENTORY)
        assert made.returncode == 0, made.stdout
        docker("exec", FLASHER, "mkdir", "-p", "/sys/bus/usb/devices")
        blank = (
            "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; "
            "apt-get update -qq; apt-get install -qq -y --no-install-recommends openssh-server >/dev/null 2>&1; "
            "systemctl disable -q ssh.service; systemctl daemon-reload; "
            "systemctl enable -q maie-virtual-recovery.service"
        )
        for board in BOARDS:
            docker("cp", f"{DOUBLES / 'board'}/.", f"{board}:/")
        installing = [subprocess.Popen(["docker", "exec", board, "sh", "-ec", blank]) for board in BOARDS]
        assert [process.wait(300) for process in installing] == [0] * len(BOARDS)
        self.boot("jetson-flash-01", jumper=True)
        self.boot("jetson-flash-02", jumper=False)
        self.boot("jetson-flash-03", jumper=True, breaks=BREAKS)
        self.url = self.server.start()

    def boot(self, board: str, *, jumper: bool, breaks: str = "") -> None:
        """Cut a board's power and give it back, with the jumper set or not."""
        wiring = f"PORT={BOARDS[board]}\nJUMPER={'1' if jumper else ''}\nBREAKS='{breaks}'\n"
        subprocess.run(
            ["docker", "exec", "-i", board, "sh", "-c", "cat >/etc/maie-virtual/usb"],
            input=wiring.encode(),
            check=True,
        )
        docker("exec", board, "systemctl", "restart", "maie-virtual-recovery.service")

    def flash(self, *arguments: str) -> Play:
        """Run the flash play as its operator would."""
        values = {
            "jetson_flash_url": self.url,
            "jetson_flash_authorized_keys": [self.key.with_suffix(".pub").read_text().strip()],
            "jetson_flash_checksums": str(self.checksums),
            "jetson_flash_known_hosts": str(self.folder / "known_hosts"),
            "jetson_flash_artifacts": str(self.folder / "artifacts"),
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder / 'known_hosts'}",
        }
        (self.folder / "values.json").write_text(json.dumps(values))
        values_file = f"@{self.folder / 'values.json'}"
        return play("playbooks/flash.yml", "-e", values_file, *arguments, inventory=INVENTORY)

    def start_program(self, name: str, program: str) -> subprocess.Popen[str]:
        """Start a shell program on the flashing host as the role starts its own."""
        arguments = {"name": name, "argv": ["sh", "-c", program], "log": f"/var/log/jetson-flash/{name}.log"}
        command = ["ansible", "-i", str(INVENTORY), FLASHER, "-b", "-m", "flash_command", "-a", json.dumps(arguments)]
        return subprocess.Popen(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE)

    def address(self, board: str) -> str:
        """Return the address that a board answers at."""
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", board).strip()

    def log_in(self, board: str, command: str) -> str:
        """Run a command on a board over SSH, trusting only the host key that the play has learnt."""
        options = ["-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}", "-o", "BatchMode=yes"]
        login = ["ssh", "-i", str(self.key), *options, f"admin@{self.address(board)}", command]
        return subprocess.run(login, check=True, text=True, capture_output=True, timeout=30).stdout.strip()

    def shell(self, command: str) -> str:
        """Run a command on the flashing host as root."""
        return docker("exec", FLASHER, "bash", "-ec", command).strip()

    def sum(self, name: str) -> str:
        """SHA-256 of an archive as it should be."""
        return hashlib.sha256((self.folder / "web" / name).read_bytes()).hexdigest()

    def part(self, name: str, share: float) -> int:
        """So many bytes are that share of an archive."""
        return int((self.folder / "web" / name).stat().st_size * share)

    def results(self) -> dict[str, dict[str, object]]:
        """The boards' results as the last run wrote them."""
        return {path.stem: json.loads(path.read_text()) for path in (self.folder / "artifacts").glob("*.json")}

    def remove(self) -> None:
        """Remove all that was made."""
        remove(INVENTORY)
        docker("volume", "rm", "--force", VOLUME)
