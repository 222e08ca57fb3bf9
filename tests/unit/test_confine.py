"""Confinement: whoever has taken over the process that looks at an upload can reach nothing from there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from maie.audio import confine as module
from maie.audio.confine import ALLOWED, confine
from maie.errors import Unavailable

INTRUDER = """
import ctypes, fcntl, json, os, resource, socket, sys
from maie.audio.confine import confine

key, port, confined = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "confined"
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()


def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def start():
    if os.fork() == 0:
        os._exit(0)


def execute():
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)


ATTEMPTS = {
    "key": lambda: read(key),
    "new file": lambda: open(key + ".new", "wb").close(),
    "network": lambda: socket.create_connection(("127.0.0.1", port), 5).close(),
    "socket pair": lambda: [end.close() for end in socket.socketpair()],
    "new process": start,
    "program": execute,
    "parent's environment": lambda: read(f"/proc/{parent}/environ"),
    "parent's memory": lambda: read(f"/proc/{parent}/mem"),
    "signal to parent": lambda: os.kill(parent, 0),
    "signal through a descriptor": lambda: fcntl.fcntl(1, fcntl.F_SETOWN, parent),
    "parent's descriptors": lambda: os.listdir(f"/proc/{parent}/fd"),
    "parent's limits": lambda: resource.prlimit(parent, 7),
    "folder": lambda: os.listdir("/"),
    "another name": lambda: os.rename(key, key),
    "memory for files": lambda: os.close(os.memfd_create("x")),
    "namespace": lambda: call({"x86_64": 272, "aarch64": 97}[os.uname().machine], 0),
}
if confined:
    confine()
outcome = {}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        outcome[name] = "done"
    except OSError as error:
        outcome[name] = error.errno
sys.stdout.write(json.dumps(outcome))
"""


def intrude(folder: Path, how: str) -> dict[str, object]:
    key = folder / "api_keys"
    key.write_text("a secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        child = subprocess.run(
            [sys.executable, "-c", INTRUDER, str(key), port, how], stdout=subprocess.PIPE, check=True
        )
    outcome: dict[str, object] = json.loads(child.stdout)
    return outcome


def test_nothing_can_be_reached_any_more(tmp_path: Path) -> None:
    outcome = intrude(tmp_path, "confined")
    assert set(outcome.values()) == {1}, outcome  # EPERM


def test_all_of_it_can_be_reached_without_confinement(tmp_path: Path) -> None:
    outcome = intrude(tmp_path, "free")
    # Nothing lies at address 0 of a process.
    assert {name for name, answer in outcome.items() if answer != "done"} <= {"parent's memory"}, outcome


def test_an_architecture_without_a_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")
    with pytest.raises(Unavailable, match="riscv64"):
        confine()


def test_both_architectures_allow_the_same() -> None:
    assert set(ALLOWED["x86_64"]) == set(ALLOWED["aarch64"])
