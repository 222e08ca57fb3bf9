"""The unit of the language model's server on a virtual device: its processes, their ends, and other directives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from support.virtual import Device

DROP_IN = "/run/systemd/system/maie-llm.service.d/50-test.conf"
ENGINE = "VLLM::EngineCor"
"""The name of the engine's process, as far as the kernel keeps it."""

Victim = Literal["main", "engine", "worker"]


class LlmUnit:
    """The unit ``maie-llm`` of a device."""

    def __init__(self, device: Device) -> None:
        self._shell = device.shell

    def processes(self) -> dict[int, str]:
        """Return the names of the unit's processes by their ids, as its control group has them."""
        group = self._shell("systemctl show --property=ControlGroup --value maie-llm")
        if not group:
            return {}
        listed = self._shell(f"cat /sys/fs/cgroup/{{systemd,.}}{group}/cgroup.procs 2>/dev/null || true").split()
        names = {int(pid): self._shell(f"cat /proc/{pid}/comm 2>/dev/null || true") for pid in listed}
        return {pid: name for pid, name in names.items() if name}

    def started(self) -> set[str]:
        """Return the units of the server that systemd has started."""
        listed = self._shell("systemctl list-units --plain --no-legend --state=active 'maie-llm*'")
        return {line.split()[0] for line in listed.splitlines()}

    def is_up(self) -> bool:
        """Whether the server has answered since its start."""
        return self._shell("test -e /run/maie/llm-up && echo up || true") == "up"

    def kill(self, victim: Victim) -> None:
        """End a process at once: the server's first, its engine, or the worker."""
        if victim == "engine":
            pids = [str(pid) for pid, name in self.processes().items() if name == ENGINE]
            self._shell(f"kill -KILL {' '.join(pids)}")
        else:
            unit = {"main": "maie-llm", "worker": "maie-worker"}[victim]
            self._shell(f"systemctl kill --kill-who=main --signal=KILL {unit}")

    @contextmanager
    def directives(self, *lines: str) -> Iterator[None]:
        """Let the unit have other directives for a while; starting it is up to the caller, at the end it is started."""
        self.write_drop_in(*lines)
        try:
            yield
        finally:
            self._shell(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart maie-llm")

    def write_drop_in(self, *lines: str) -> None:
        """Give the unit more directives, which hold until the device's next boot."""
        text = "".join(f"{line}\\n" for line in ("[Service]", *lines))
        self._shell(f"mkdir -p $(dirname {DROP_IN}); printf '{text}' >{DROP_IN}; systemctl daemon-reload")
