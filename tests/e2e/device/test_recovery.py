"""What a device promises after a crash: every accepted task runs again within a minute and ends, once.

tests/integration shows the same for the processes alone and more often; here systemd, the units and the container are
the real ones.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.stack import Figure
from support.virtual import FINAL, NAME, Device, docker

pytestmark = [pytest.mark.device, pytest.mark.timeout(7200)]
TRIALS = max(4, int(os.environ.get("TRIALS", "20")) // 5)
RECOVERY_SECONDS = 60.0
SLOWER = 2.0
"""How much longer than undisturbed a task may take: the machine may be shared."""

Harm = Callable[[Device], None]


def kill_worker(device: Device) -> None:
    device.shell("systemctl kill --kill-who=all --signal=SIGKILL maie-worker.service")


def kill_redis(device: Device) -> None:
    device.shell("systemctl kill --kill-who=all --signal=SIGKILL maie-redis.service")


def restart_redis(device: Device) -> None:
    device.shell("systemctl restart maie-redis.service")


def cut_power(_: Device) -> None:
    docker("kill", NAME)
    time.sleep(1)
    docker("start", NAME)


ENDS_THE_WORKER = (kill_worker, cut_power)


def recorded(device: Device, task_id: str, field: str) -> str:
    """Return what Redis holds in a field of the task, or nothing where there is no such task or field."""
    return device.shell(
        "REDISCLI_AUTH=$(cat /etc/maie/credentials/redis_password) "
        f"redis-cli -s /run/maie-redis/redis.sock hget maie:task:{task_id} {field}"
    )


def at_work(task: dict[str, Any] | None) -> bool:
    return task is not None and task["status"].startswith(("PREPROCESSING", "PROCESSING"))


class Stream:
    """A queue that always holds two tasks, the harms done to the device meanwhile, and what became of the tasks."""

    def __init__(self, device: Device, audio: Path, harm: Harm) -> None:
        self._device = device
        self._audio = audio
        self._harm = harm
        self._random = random.Random(harm.__name__)
        undisturbed = device.wait(device.submit(audio), FINAL, 300)
        self.own_seconds = float(undisturbed["metrics"]["processing_time_seconds"])
        self.harms_at_work = 0
        self.tasks: list[str] = []
        self.ended: dict[str, dict[str, Any]] = {}
        self.late: list[str] = []
        self.at_work_again: list[float] = []
        self.end_after: list[float] = []

    def run(self, trials: int) -> None:
        left: list[str] = []
        harmed = 0.0
        for trial in range(trials):
            left += [self._device.submit(self._audio) for _ in range(2 - len(left))]
            self.tasks += [task_id for task_id in left if task_id not in self.tasks]
            surely_at_work = trial % 2 == 0
            if surely_at_work:
                self._device.wait(left[0], {"PROCESSING_ASR"} | FINAL, RECOVERY_SECONDS)
            time.sleep(self._random.uniform(0, (0.6 if surely_at_work else 1.2) * self.own_seconds))
            self.harms_at_work += any(at_work(self._device.status(task_id)) for task_id in left)
            began = time.monotonic()
            self._harm(self._device)
            # Without power nothing is promised: the minute begins when it is back.
            harmed = time.monotonic() if self._harm is cut_power else began
            self._follow(left.pop(0), harmed, position=1)
        for position, task_id in enumerate(left, start=2):
            self._follow(task_id, harmed, position)

    def _follow(self, task_id: str, harmed: float, position: int) -> None:
        """Wait for the end of a task that had ``position - 1`` others before it when the harm was done."""
        deadline = harmed + RECOVERY_SECONDS + position * SLOWER * self.own_seconds
        again = False
        while time.monotonic() < deadline:
            task = self._device.status(task_id)
            if task and position == 1 and not again and task["attempt"] > 1 and task["status"] != "PENDING":
                again = True
                self.at_work_again.append(time.monotonic() - harmed)
            if task and task["status"] in FINAL:
                self.ended[task_id] = task
                self.end_after.append(time.monotonic() - harmed)
                return
            time.sleep(0.1)
        self.late.append(task_id)


@pytest.mark.parametrize("harm", [kill_worker, kill_redis, restart_redis, cut_power])
def test_accepted_tasks_survive(device: Device, long_audio: Path, harm: Harm, figure: Figure) -> None:
    trials = TRIALS if harm is kill_worker else 2
    stream = Stream(device, long_audio, harm)
    stream.run(trials)
    lost = [task_id for task_id in stream.tasks if not recorded(device, task_id, "status")]
    twice = [task_id for task_id in stream.ended if recorded(device, task_id, "commits") != "1"]
    attempts_ended = sum(task["attempt"] - 1 for task in stream.ended.values())
    incomplete = {
        task_id: (task["status"], task["attempt"], task["stage"], task["error"])
        for task_id, task in stream.ended.items()
        if task["status"] != "COMPLETE"
    }
    figure(
        f"{harm.__name__}: {trials} times, {stream.harms_at_work} of them with a task at work; "
        f"{len(stream.tasks)} tasks of {stream.own_seconds:.1f} s, {attempts_ended} attempts ended by it; "
        f"lost {len(lost)}, stuck {len(stream.late)}, twice {len(twice)}, incomplete {len(incomplete)}; "
        f"slowest at work again {max(stream.at_work_again, default=0):.1f} s, "
        f"slowest end {max(stream.end_after, default=0):.1f} s"
    )
    assert not lost
    assert not stream.late
    assert not twice
    assert not incomplete, incomplete
    assert set(stream.ended) == set(stream.tasks)
    assert max(stream.at_work_again, default=0) <= RECOVERY_SECONDS
    assert stream.harms_at_work, "no harm met a task at work, so nothing was tested"
    if harm in ENDS_THE_WORKER:
        assert attempts_ended, "no harm met a task at work, so nothing was tested"


def test_machine_is_whole_after_a_power_cut(device: Device) -> None:
    cut_power(device)
    deadline = time.monotonic() + 60
    # The lease of the worker from before the cut counts for seconds yet: ready alone does not tell of a new one.
    while not (units_are_active(device) and (device.ready() or {}).get("ready")):
        assert time.monotonic() < deadline, f"not whole a minute after the power came back: {device.ready()}"
        time.sleep(0.5)


def units_are_active(device: Device) -> bool:
    """Whether all of the service runs; not while the device itself does not answer."""
    try:
        states = device.shell("systemctl is-active maie-api maie-worker maie-redis || true")
    except subprocess.CalledProcessError:
        return False
    return states.split() == ["active"] * 3
