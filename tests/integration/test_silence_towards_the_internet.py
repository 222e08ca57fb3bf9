"""What the service's processes tell and ask of the internet by themselves: nothing, and they keep no file for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.audiofiles import SAMPLE
from support.processes import wait_for
from support.stack import Stack

TRACER = ["strace", "-f", "-y", "--seccomp-bpf", "--signal=none", "--trace=%network,openat,mkdir", "-o"]
NO_NETWORK = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]

LOOK_UP = re.compile(r'"/etc/resolv\.conf"|"/var/run/nscd/socket"|connect\(.*sa_family=AF_INET|send\w+\(.*AF_INET')
CREATED = re.compile(r'(?:openat\([^<]*<(?P<folder>[^>]*)>, "(?P<name>[^"]*)", \S*O_CREAT|mkdir\("(?P<made>[^"]*)")')

REPORT_SECONDS = 12.0
"""onnxruntime 1.32 looks up where it reports to nine seconds after it is imported."""


def looked_up(trace: Path) -> list[str]:
    """The calls of a traced process that want something of another host."""
    return [line for line in trace.read_text().splitlines() if LOOK_UP.search(line)]


def created(trace: Path, own: Path) -> list[str]:
    """What a traced process has made, or tried to make, outside of its own folder and the kernel's."""
    found = [match for line in trace.read_text().splitlines() if (match := CREATED.search(line))]
    paths = [str(Path(each["folder"] or "/") / (each["made"] or each["name"])) for each in found]
    return [path for path in paths if not path.startswith((f"{own}/", "/proc/", "/dev/"))]


def test_the_tracer_sees_a_look_up_and_a_file(tmp_path: Path) -> None:
    telling = "import socket; open('told', 'w'); socket.getaddrinfo('collector.example.org', 443)"
    trace = tmp_path / "trace"
    command = [*NO_NETWORK, *TRACER, str(trace), sys.executable, "-c", telling]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert looked_up(trace)
    assert created(trace, Path("/nowhere")) == [str(tmp_path / "told")]


def test_no_process_of_the_service_looks_anything_up_or_keeps_an_identity(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack()
    home = stack.folder.with_name(f"{stack.folder.name}-home")
    home.mkdir()
    stack.env |= {"HOME": str(home), "TMPDIR": str(stack.data), "PYTHONDONTWRITEBYTECODE": "1"}
    traces = {name: stack.folder / f"{name}.trace" for name in ("api", "worker")}
    for name, apart in (("api", []), ("worker", NO_NETWORK)):
        stack.before = [*apart, *TRACER, str(traces[name])]
        stack.start(name)
    ready = time.monotonic()
    assert stack.wait_final(stack.accept(SAMPLE.read_bytes()))["status"] == "COMPLETE"
    wait_for(lambda: time.monotonic() > ready + REPORT_SECONDS, REPORT_SECONDS + 1, "the time of a report", 0.5)
    for name, trace in traces.items():
        assert not looked_up(trace), name
        assert not created(trace, stack.folder), name
    assert not list(home.rglob("*"))
