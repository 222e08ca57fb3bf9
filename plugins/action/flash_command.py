"""Ansible action: start a long program on a host and show its steps here while it runs."""

from __future__ import annotations

import re
import shlex
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

INTERVALS_SECONDS = (0.3, 0.7, 1.0, 2.0)
"""Pauses between two reads of the log; the last one repeats."""

SHOWN = (
    re.compile(r"^\*\s+(Step \d+: .+?)\s*\*?$"),
    re.compile(r"^(Waiting for (?:target to boot-up|device to expose ssh))"),
    re.compile(r"^(Starting to flash to \w+|Formatting \w+ partition \S+|Writing \S+ partition.*)"),
    re.compile(r"^(Successfully flash(?:ed)? .+?|Flash is successful|Reboot device|Flash failure)\.?$"),
    re.compile(r"^\*{3} (The target \S+ has been flashed successfully)\.? \*{3}$"),
    re.compile(r"^\[\s*[\d.]+ \] (Flashing the device|Boot Rom communication|Sending \S+|Writing partition \S+).*$"),
    re.compile(r"^((?:Error|ERROR|FATAL)\b.*)$"),
    re.compile(r"^(Finish generating flash package|L4T BSP package installation completed!|Success!)\.?"),
)
"""Lines of the tools' logs that show progress; group 1 is displayed."""

PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)? ?%")


class Progress:
    """Picks the progress out of a growing log: steps, each once, and every tenth per cent."""

    def __init__(self) -> None:
        self.rest = ""
        self.last = ""
        self.percent = -1

    def feed(self, text: str) -> list[str]:
        """Take the next part of the log and return the lines to show; an unfinished line waits for its end."""
        *lines, self.rest = re.split(r"[\r\n]+", self.rest + text)
        shown = (self.shown(line.strip()) for line in lines)
        return [line for line in shown if line]

    def shown(self, line: str) -> str:
        """Return what to show of one line; empty for nothing."""
        for pattern in SHOWN:
            step = pattern.match(line)
            if step:
                self.percent = -1
                new = step[1] != self.last
                self.last = step[1]
                return step[1] if new else ""
        percent = PERCENT.search(line)
        if percent and int(percent[1]) <= 100 and int(percent[1]) // 10 != self.percent // 10:
            self.percent = int(percent[1])
            return f"{self.percent} %"
        return ""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module ``flash_command`` repeatedly until the program has ended."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the whole run."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        told = {"command": shlex.join(map(str, arguments["argv"])), "log": arguments["log"]}
        if self._task.check_mode:
            return {**told, "changed": True, "msg": f"Would run {told['command']}"}
        started = time.monotonic()
        answer = self._execute_module("flash_command", {**arguments, "stage": "start"}, task_vars=task_vars)
        offset, progress, pauses = 0, Progress(), [*INTERVALS_SECONDS]
        while not answer.get("failed") and not answer.get("finished"):
            time.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])
            follow = {**arguments, "stage": "follow", "offset": offset}
            answer = self._execute_module("flash_command", follow, task_vars=task_vars)
            offset = answer.get("offset", offset)
            for line in progress.feed(answer.get("text", "")):
                Display().display(f"{time.strftime('%H:%M:%S')} {arguments['name']}: {line}")
        if answer.get("failed"):
            return {**answer, **told}
        seconds = round(time.monotonic() - started, 1)
        failure = answer["failure"]
        return {**told, "changed": True, "seconds": seconds, "failed": bool(failure), "msg": failure or "succeeded"}
