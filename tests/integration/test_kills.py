"""The worker's unit killed in all stages of all kinds of tasks: none is lost, stuck, ended twice or not whole.

``TRIALS`` says how often, each of the ``TARGETS`` twice unless it is given; ``KILL_SEED`` repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from support.audiofiles import MEMO, WRITTEN
from support.processes import wait_for
from support.stack import WITH_LLM, Figure, Speech, Stack, engines
from support.swapping import Swapping

pytestmark = pytest.mark.timeout(7200)
TRIALS = int(os.environ.get("TRIALS", "12"))
SEED = int(os.environ.get("KILL_SEED", str(random.SystemRandom().randrange(10**6))))
LIMIT = 60.0
"""Seconds after the kill in which a task is at work again, and in which and its own time it has ended."""

FINAL = ("COMPLETE", "FAILED")


TEXT = json.loads(WRITTEN.read_text())["verbatim"]
KINDS = ("raw", "notes", "text", "minutes")
"""Audio to transcribe, audio to transcribe, clean and summarise, text to clean, and text to clean and summarise."""

TARGETS = (
    ("raw", None),
    ("notes", "asr"),
    ("notes", "clean"),
    ("minutes", "summary"),
    ("text", "clean"),
    ("notes", None),
)
"""Which kind of task is killed in which stage, in turn; without a stage, at any moment."""


class Work:
    """Tasks of all kinds, how long each takes without a kill, and what it then comes to."""

    def __init__(self, stack: Stack, audio: bytes) -> None:
        self._stack = stack
        self._audio = audio
        self._undisturbed = {kind: stack.wait_final(self.accept(kind)) for kind in KINDS}
        assert all(state["status"] == "COMPLETE" for state in self._undisturbed.values()), self._undisturbed
        self.seconds = {kind: float(s["metrics"]["processing_time_seconds"]) for kind, s in self._undisturbed.items()}

    def accept(self, kind: str) -> str:
        if kind == "raw":
            return self._stack.accept(self._audio)
        if kind == "notes":
            asked = {"features": "clean_transcript,summary", "template_id": "meeting_notes_v1"}
            return self._stack.accept(MEMO.read_bytes(), **asked)
        more = {"features": ["clean_transcript", "summary"], "template_id": "meeting_notes_v1"}
        return self._stack.accept_text(TEXT, **(more if kind == "minutes" else {}))

    def is_whole(self, kind: str, state: dict[str, Any]) -> bool:
        """Whether a complete task has what it has without a kill; of what nobody can understand, some text."""
        if kind == "raw":
            return bool(state["results"]["raw_transcript"])
        return all(state[name] == self._undisturbed[kind][name] for name in ("results", "warnings"))


class Trials:
    """Kills, and what became of the tasks that they met."""

    def __init__(self, stack: Stack, audio: bytes) -> None:
        self._stack = stack
        self._work_of = Work(stack, audio)
        self._work = max(self._work_of.seconds.values())
        self._random = random.Random(SEED)
        self._kinds: dict[str, str] = {}
        self._stages: Counter[str] = Counter()
        self._kills: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._states: dict[str, dict[str, Any]] = {}

    def run(self, trials: int) -> None:
        """Two tasks at a time, so that kills meet tasks at work, tasks that wait, and the moments between."""
        for number in range(trials):
            kind, stage = TARGETS[number % len(TARGETS)]
            tasks = []
            for each in (kind, self._random.choice(("raw", "text"))):
                tasks.append(self._work_of.accept(each))
                self._kinds[tasks[-1]] = each
            self._wait(tasks[0], kind, stage)
            self._stages[self._stack.redis().hget(f"maie:task:{tasks[0]}", "stage") or "none"] += 1
            killed = time.time()
            self._stack.unit("worker").process.kill()
            for task in tasks:
                self._kills[task] = killed
            self._follow(tasks, killed)

    def _wait(self, task: str, kind: str, stage: str | None) -> None:
        """Wait for a moment in a stage, or for any moment."""
        if stage is None:
            time.sleep(self._random.uniform(0, 1.2 * self._work_of.seconds[kind]))
            return
        record = f"maie:task:{task}"
        end = time.monotonic() + 30
        while time.monotonic() < end:
            now, status = self._stack.redis().hmget(record, "stage", "status")
            if now == stage or status in FINAL:
                break
            time.sleep(0.02)
        time.sleep(self._random.uniform(0, 0.1))

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

    def check(self, figure: Figure) -> None:
        """Tell the counts, and compare them with what was promised."""
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
        causes = Counter(state["error"]["code"] for state in self._states.values() if state["error"])
        complete = {task: state for task, state in self._states.items() if state["status"] == "COMPLETE"}
        lacking = [task for task, state in complete.items() if not self._work_of.is_whole(self._kinds[task], state)]
        figure(
            f"{len(set(self._kills.values()))} kills (seed {SEED}), {len(self._kills)} tasks accepted, "
            f"{len(hit)} of them hit at work, the kills in {dict(self._stages)}: {dict(outcomes)} {dict(causes)}, "
            f"lost {len(lost)}, stuck {len(stuck)}, ended twice {len(twice)}, not whole {len(lacking)}; after the "
            f"kill, slowest at work again {max(again, default=0):.1f} s, slowest end {max(after, default=0):.1f} s"
        )
        assert not lost
        assert not stuck
        assert not twice
        assert not lacking
        assert hit, "no kill met a task at work, so nothing was tested"
        assert max(again) <= LIMIT
        assert max(after) <= LIMIT + 2 * self._work
        wait_for(lambda: not self._stack.uploads(), 60, "removal of the last upload, after its task's end")
        wait_for(lambda: engines(self._stack) == 1, 60, "one engine process, and none of a dead worker")

    def check_stages(self) -> None:
        assert {"asr", "clean", "summary"} <= set(self._stages), self._stages


def test_kills_lose_nothing(own_stack: Callable[..., Stack], speech: Speech, figure: Figure) -> None:
    """With the times of lease and sweep shortened, so that many kills fit into a short test."""
    stack = own_stack(lease_seconds=2, sweep_seconds=1, **WITH_LLM)
    stack.start("api", "worker")
    rtf = stack.wait_final(stack.accept(speech(20)))["metrics"]["rtf"]
    trials = Trials(stack, speech(min(600, max(2, 1.5 / rtf))))
    trials.run(TRIALS)
    trials.check(figure)
    trials.check_stages()


def test_kills_lose_nothing_where_the_models_take_turns(
    make_swapping: Callable[..., Swapping], speech: Speech, figure: Figure
) -> None:
    stack, units = make_swapping(start_seconds=0.5, lease_seconds=2, sweep_seconds=1)
    stack.start("api", "worker")
    trials = Trials(stack, speech(20))
    trials.run(max(4, TRIALS // 10))
    trials.check(figure)
    assert "clash" not in units.events


def test_the_default_times_keep_the_promise(own_stack: Callable[..., Stack], speech: Speech, figure: Figure) -> None:
    stack = own_stack(**WITH_LLM)
    stack.start("api", "worker")
    rtf = stack.wait_final(stack.accept(speech(20)))["metrics"]["rtf"]
    trials = Trials(stack, speech(min(600, max(2, 4.0 / rtf))))
    trials.run(max(2, TRIALS // 20))
    trials.check(figure)
