"""The worker's unit killed at random moments: no accepted task is lost, stuck, or ended twice.

``TRIALS`` (default 20) says how often; ``KILL_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import httpx
import pytest
from stack import Stack

pytestmark = pytest.mark.timeout(7200)
TRIALS = int(os.environ.get("TRIALS", "20"))
SEED = int(os.environ.get("KILL_SEED", str(random.SystemRandom().randrange(10**6))))
LIMIT = 60.0
"""Seconds after the kill in which a task is at work again, and in which and its own time it has ended."""

FINAL = ("COMPLETE", "FAILED")


def measure_work(stack: Stack, audio: bytes) -> float:
    return float(stack.wait_final(stack.accept(audio))["metrics"]["processing_time_seconds"])


class Trials:
    """Kills, and what became of the tasks that they met."""

    def __init__(self, stack: Stack, audio: bytes) -> None:
        self._stack = stack
        self._audio = audio
        self._work = measure_work(stack, audio)
        self._random = random.Random(SEED)
        self._kills: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._states: dict[str, dict[str, object]] = {}

    def run(self, trials: int) -> None:
        """Two tasks at a time, so that kills meet tasks at work, tasks that wait, and the moments between."""
        for _ in range(trials):
            tasks = [self._stack.accept(self._audio) for _ in range(2)]
            time.sleep(self._random.uniform(0, 1.2 * self._work))
            killed = time.time()
            self._stack.unit("worker").process.kill()
            for task in tasks:
                self._kills[task] = killed
            self._follow(tasks, killed)

    def _follow(self, tasks: list[str], killed: float) -> None:
        left = list(tasks)
        while left and time.time() < killed + LIMIT + 2 * self._work + 10:
            for task in list(left):
                with self._stack.client() as client:
                    answer = client.get(f"/v1/status/{task}")
                if answer.status_code == httpx.codes.OK and answer.json()["status"] in FINAL:
                    self._states[task] = answer.json()
                    self._ended[task] = time.time()
                    left.remove(task)
            time.sleep(0.05)

    def check(self) -> None:
        """Print the counts, and compare them with what was promised."""
        lines = self._stack.log("worker") + self._stack.log("api")
        begins: dict[str, list[float]] = {task: [] for task in self._kills}
        ends: Counter[str] = Counter()
        for line in lines:
            if line["event"] == "attempt begins" and line["task_id"] in begins:
                begins[line["task_id"]].append(
                    datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")).timestamp()
                )
            if line["event"] == "task ended":
                ends[line["task_id"]] += 1
        database = self._stack.redis()
        records = {task: database.hgetall(f"maie:task:{task}") for task in self._kills}
        lost = [task for task, record in records.items() if not record]
        stuck = [task for task in self._kills if task not in self._ended]
        twice = [task for task, record in records.items() if record.get("commits", "1") != "1" or ends[task] > 1]
        hit = [task for task, record in records.items() if int(record.get("attempt", 1)) > 1]
        again = [max(begins[task]) - self._kills[task] for task in hit]
        after = [self._ended[task] - killed for task, killed in self._kills.items() if task in self._ended]
        outcomes = Counter(str(state["status"]) for state in self._states.values())
        causes = Counter(state["error"]["code"] for state in self._states.values() if state["error"])  # type: ignore[index]
        print(
            f"\n{len(set(self._kills.values()))} kills (seed {SEED}), {len(self._kills)} tasks accepted, "
            f"{len(hit)} of them hit at work: {dict(outcomes)} {dict(causes)}, lost {len(lost)}, stuck {len(stuck)}, "
            f"ended twice {len(twice)}; after the kill, slowest at work again {max(again, default=0):.1f} s, "
            f"slowest end {max(after, default=0):.1f} s"
        )
        assert not lost
        assert not stuck
        assert not twice
        assert hit, "no kill met a task at work, so nothing was tested"
        assert max(again) <= LIMIT
        assert max(after) <= LIMIT + 2 * self._work
        assert not self._stack.uploads()


def test_kills_lose_nothing(own_stack: Callable[..., Stack], speech: Callable[[float], bytes]) -> None:
    """With the times of lease and sweep shortened, so that many kills fit into a short test."""
    stack = own_stack(lease_seconds=2, sweep_seconds=1)
    stack.start("api", "worker")
    rtf = stack.wait_final(stack.accept(speech(20)))["metrics"]["rtf"]
    trials = Trials(stack, speech(min(600, max(2, 1.5 / rtf))))
    trials.run(TRIALS)
    trials.check()


def test_the_default_times_keep_the_promise(own_stack: Callable[..., Stack], speech: Callable[[float], bytes]) -> None:
    stack = own_stack()
    stack.start("api", "worker")
    rtf = stack.wait_final(stack.accept(speech(20)))["metrics"]["rtf"]
    trials = Trials(stack, speech(min(600, max(2, 4.0 / rtf))))
    trials.run(max(2, TRIALS // 20))
    trials.check()
