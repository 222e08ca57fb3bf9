"""Ansible action: build a wheel on a host and show its progress here."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

INTERVALS = (0.5, 1.0, 2.0, 5.0)
"""Seconds between two reads of the log: short ones first, for short builds."""

STEP = re.compile(r"^=== step (\S+) \((\d+) of (\d+)\)$")
"""The program that runs the steps prints this before each."""

NINJA = re.compile(r"^\[(\d+)/(\d+)\] ")
MAKE = re.compile(r"^\[ *(\d{1,3})%\] ")

SHARE = re.compile(r"\S+: .*%")
"""A shown line with a step's progress."""


class Progress:
    """Picks the progress out of a growing log: each step, and every fifth per cent of its compilation."""

    def __init__(self, every: int = 5) -> None:
        self.every = every
        self.rest = ""
        self.step = ""
        self.shown = -1
        self.began: tuple[float, float] = (0.0, 0.0)

    def feed(self, text: str, now: float) -> list[str]:
        """Take the next part of the log at ``now`` (seconds); return the lines to show. An unfinished line waits."""
        *lines, self.rest = re.split(r"[\r\n]+", self.rest + text)
        told = [shown for shown in (self.line(line, now) for line in lines) if shown]
        # Of several percentages read at once, the last is enough.
        pairs = zip(told, [*told, ""][1:], strict=True)
        return [line for line, after in pairs if not (SHARE.match(line) and SHARE.match(after))]

    def line(self, line: str, now: float) -> str:
        """Return what to show of one line; empty for nothing."""
        step = STEP.match(line)
        if step:
            self.step, self.shown = step[1], -1
            return f"{step[1]} (step {step[2]} of {step[3]})"
        ninja, make = NINJA.match(line), MAKE.match(line)
        if ninja:
            percent, counted = 100 * int(ninja[1]) / int(ninja[2]), f"{ninja[1]} of {ninja[2]}, "
        elif make:
            percent, counted = float(make[1]), ""
        else:
            return ""
        if self.shown < 0 or percent < self.began[1]:
            self.began = (now, percent)
        elif percent // self.every == self.shown // self.every:
            return ""
        self.shown = int(percent)
        return f"{self.step}: {counted}{percent:.0f} %{self.left(percent, now)}"

    def left(self, percent: float, now: float) -> str:
        """Return the time left at the pace since this step was first seen; empty while the pace is unknown."""
        began, at = self.began
        if percent <= at or now <= began or percent >= 100:
            return ""
        return f", about {span((now - began) * (100 - percent) / (percent - at))} left"


def span(seconds: float) -> str:
    """Return a duration in readable form."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module ``wheel_build`` repeatedly until the build has ended."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the whole build."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        host = (task_vars or {}).get("inventory_hostname", "")
        if self._task.check_mode:
            return {"changed": True, "msg": f"Would build {arguments['name']}"}
        answer = self._execute_module("wheel_build", {**arguments, "stage": "start"}, task_vars=task_vars)
        progress, looks = Progress(), 0
        while not answer.get("failed") and not answer.get("finished"):
            time.sleep(INTERVALS[min(looks // 4, len(INTERVALS) - 1)])
            looks += 1
            follow = {**arguments, "stage": "follow", "offset": answer.get("offset", 0)}
            answer = self._execute_module("wheel_build", follow, task_vars=task_vars)
            for line in progress.feed(answer.get("text", ""), time.monotonic()):
                Display().display(f"{time.strftime('%H:%M:%S')} {host} {arguments['name']}: {line}")
        if answer.get("failed"):
            return dict(answer)
        failure = answer["failure"]
        told = {"changed": True, "result": answer["result"], "failed": bool(failure)}
        return {**told, "msg": failure or f"{arguments['name']} is built"}
