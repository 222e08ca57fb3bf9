"""What a device promises after a crash: every accepted task runs again within a minute and ends, once.

tests/integration shows the same for the processes alone and more often; here systemd, the units and the container are
the real ones.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from virtual import FINAL, NAME, Device, docker

pytestmark = pytest.mark.device
TRIALS = max(4, int(os.environ.get("TRIALS", "20")) // 5)
RECOVERY_SECONDS = 60.0


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


def commits(device: Device, task_id: str) -> str:
    """Return how often an end of the task was written."""
    return device.shell(
        "REDISCLI_AUTH=$(cat /etc/maie/credentials/redis_password) "
        f"redis-cli -s /run/maie-redis/redis.sock hget maie:task:{task_id} commits"
    )


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("harm", [kill_worker, kill_redis, restart_redis, cut_power])
def test_accepted_tasks_survive(device: Device, long_audio: Path, harm: Callable[[Device], None]) -> None:
    moments = random.Random(f"{harm.__name__}")
    slowest = 0.0
    for trial in range(TRIALS if harm is kill_worker else 2):
        undisturbed = device.wait(device.submit(long_audio), FINAL, 120)
        own_seconds = undisturbed["metrics"]["processing_time_seconds"]
        hit, waiting = device.submit(long_audio), device.submit(long_audio)
        if trial % 2 == 0:
            device.wait(hit, {"PROCESSING_ASR"}, 30)
        time.sleep(moments.uniform(0, own_seconds))
        started = time.monotonic()
        harm(device)
        for position, task_id in enumerate((hit, waiting), start=1):
            limit = RECOVERY_SECONDS + position * (own_seconds + RECOVERY_SECONDS) - (time.monotonic() - started)
            task = device.wait(task_id, FINAL, limit)
            assert task["status"] == "COMPLETE", task
            assert commits(device, task_id) == "1"
        slowest = max(slowest, time.monotonic() - started)
    print(f"{harm.__name__}: lost 0, stuck 0, twice 0; slowest {slowest:.1f} s for two tasks of {own_seconds:.1f} s")


def test_machine_is_whole_after_a_power_cut(device: Device) -> None:
    cut_power(device)
    deadline = time.monotonic() + 60
    while True:
        answer = device.ready()
        if answer and answer["ready"]:
            break
        assert time.monotonic() < deadline, f"not ready a minute after the power came back: {answer}"
        time.sleep(0.5)
    assert device.shell("systemctl is-active maie-api maie-worker maie-redis").split() == ["active"] * 3
