"""A real worker on disks, and with a Redis, that are really full: no task is lost to that if there is room in time."""

from __future__ import annotations

import io
import os
import subprocess
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from maie.tasks import redis_keys
from support.audiofiles import sample
from support.processes import wait_for
from support.stack import MIB, Stack

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")

WAIT_SECONDS = 6.0
"""How long a task waits for room here."""

AUDIO_SECONDS = 20
LITTLE = 256 * 1024
"""Bytes that are enough to take the audio, and too few to decode it."""


class Disk:
    """A small file system, with a file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        options = f"size={4 * MIB},nr_inodes=40"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)

    def leave(self, room: int) -> None:
        """Fill it up to so many bytes."""
        about = os.statvfs(self.folder)
        with self._filler.open("wb") as stream:
            stream.truncate(0)
            stream.write(b"x" * (about.f_bavail * about.f_frsize - room))

    def leave_names(self, count: int) -> None:
        """Fill it with empty files up to so many more."""
        for number in range(os.statvfs(self.folder).f_favail - count):
            self._filler.with_suffix(f".{number}").touch()

    def make_room(self) -> None:
        for filler in self.folder.glob(f"{self._filler.name}*"):
            filler.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Place(NamedTuple):
    """A service and its two disks."""

    stack: Stack
    uploads: Disk
    results: Disk


@pytest.fixture(scope="module")
def _place(make_stack: Callable[..., Stack]) -> Iterator[Place]:
    stack = make_stack(disk_wait_seconds=WAIT_SECONDS)
    place = Place(stack, *(Disk(stack.data / name) for name in ("uploads", "results")))
    stack.start("api", "worker")
    yield place
    stack.stop()
    place.uploads.unmount()
    place.results.unmount()


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    """A service on disks that have room before and after each test."""
    yield _place
    _place.uploads.make_room()
    _place.results.make_room()


@pytest.fixture(scope="module")
def audio() -> bytes:
    """Speech of which a second takes a quarter of what it takes when it is decoded."""
    samples = np.resize(sample()[::2], AUDIO_SECONDS * 8000)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 127 + 128).astype(np.uint8).tobytes())
    return buffer.getvalue()


def accept(place: Place, audio: bytes) -> str:
    """Have audio accepted on a disk that has no room to decode it."""
    place.uploads.leave(len(audio) + LITTLE)
    return place.stack.accept(audio)


def events(stack: Stack, task_id: str) -> list[str]:
    return [line["event"] for line in stack.log("worker") if line.get("task_id") == task_id]


def wait_until_it_waits(stack: Stack, task_id: str) -> None:
    wait_for(lambda: "the disk is full; trying again" in events(stack, task_id), 60, "a task that waits for room")


def assert_done(stack: Stack, task_id: str) -> None:
    state = stack.wait_final(task_id)
    assert (state["status"], state["attempt"], state["error"]) == ("COMPLETE", 1, None)
    assert len(state["results"]["raw_transcript"].split()) > AUDIO_SECONDS  # a word a second


@pytest.mark.parametrize("lacks", ["room", "names"])
def test_a_disk_that_is_full_while_audio_is_decoded(place: Place, audio: bytes, lacks: str) -> None:
    if lacks == "names":
        place.uploads.leave_names(2)  # the task's folder and its audio
        task_id = place.stack.accept(audio)
    else:
        task_id = accept(place, audio)
    wait_until_it_waits(place.stack, task_id)
    assert (place.stack.data / "uploads" / task_id / "audio").read_bytes() == audio
    place.uploads.make_room()
    assert_done(place.stack, task_id)


def test_a_disk_that_is_full_when_the_result_is_written(place: Place, audio: bytes) -> None:
    place.results.leave(0)
    task_id = place.stack.accept(audio)
    wait_until_it_waits(place.stack, task_id)
    assert not list(place.results.folder.glob(f"{task_id}*"))
    place.results.make_room()
    assert_done(place.stack, task_id)


def test_a_redis_that_is_full_too_is_freed_by_what_is_past_its_retention(place: Place, audio: bytes) -> None:
    redis = place.stack.redis()
    old = place.stack.accept(audio)
    assert_done(place.stack, old)
    place.results.leave(0)
    task_id = place.stack.accept(audio)
    wait_until_it_waits(place.stack, task_id)
    soon = time.time() + 3  # when there is room on the disk, and only Redis is waited for
    redis.zadd(redis_keys.ENDED, {old: soon - 7 * 86400})
    redis.config_set("maxmemory", 1)
    try:
        place.results.make_room()
        wait_for(lambda: not redis.exists(redis_keys.task(old)), 60, "the end of what is past its retention")
    finally:
        redis.config_set("maxmemory", 0)
    assert_done(place.stack, task_id)


def test_a_disk_that_stays_full_fails_the_task_in_the_end(place: Place, audio: bytes) -> None:
    begun = time.monotonic()
    task_id = accept(place, audio)
    state = place.stack.wait_final(task_id)
    assert (state["status"], state["attempt"], state["error"]["code"]) == ("FAILED", 1, "disk_full")
    assert WAIT_SECONDS / 2 < time.monotonic() - begun < 2 * WAIT_SECONDS
    wait_for(lambda: not (place.stack.data / "uploads" / task_id).exists(), 60, "removal of the upload")
    place.uploads.make_room()
    assert_done(place.stack, place.stack.accept(audio))


def test_a_task_that_waits_for_room_can_be_cancelled(place: Place, audio: bytes) -> None:
    task_id = accept(place, audio)
    wait_until_it_waits(place.stack, task_id)
    with place.stack.client() as client:
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
    wait_for(lambda: "attempt is given up" in events(place.stack, task_id), 2, "the end of the waiting")
    place.uploads.make_room()
    assert_done(place.stack, place.stack.accept(audio))
    assert not list(place.stack.data.rglob(f"*{task_id}*"))
