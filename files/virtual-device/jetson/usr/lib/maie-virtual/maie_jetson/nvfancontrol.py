"""Double of nvfancontrol: a daemon that takes its profile from the cached state, else from its configuration."""

from __future__ import annotations

import argparse
import re
import signal

from maie_virtual.paths import device

CONF = "/etc/nvfancontrol.conf"
STATUS = "/var/lib/nvfancontrol/status"
FIELDS = {"FAN_PROFILE": "quiet", "FAN_GOVERNOR": "pid", "FAN_CONTROL": "close_loop"}


def configured(text: str) -> dict[str, str]:
    """The defaults that a configuration names."""
    found = dict(FIELDS)
    for name in FIELDS:
        match = re.search(rf"^FAN_DEFAULT_{name.removeprefix('FAN_')}\s+(\S+)", text, re.MULTILINE)
        if match:
            found[name] = match[1]
    return found


def state() -> dict[str, str]:
    """What is in force: the cached state wins over the configuration."""
    status = device(STATUS)
    if status.exists():
        return dict(line.split(":")[1:3] for line in status.read_text().splitlines())
    return configured(device(CONF).read_text())


def lines(values: dict[str, str]) -> str:
    """The state as `-q` prints it."""
    return "".join(f"FAN1:{name}:{value}\n" for name, value in values.items())


def main(arguments_given: list[str]) -> int:
    """The program nvfancontrol: with `-q` it prints the state, without it is the daemon."""
    parser = argparse.ArgumentParser(prog="nvfancontrol")
    parser.add_argument("-q", "--query", action="store_true")
    arguments = parser.parse_args(arguments_given)
    if arguments.query:
        print(lines(state()), end="")
        return 0
    status = device(STATUS)
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(lines(state()))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0
