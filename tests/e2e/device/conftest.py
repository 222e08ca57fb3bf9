"""A whole virtual device, provisioned by the real playbooks, for tests that break it."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual import NAME, SAMPLE, Device, play


@pytest.fixture(scope="session")
def bare_device() -> Iterator[str]:
    """A virtual device on which nothing has been done."""
    made = play("playbooks/virtual.yml")
    assert made.returncode == 0, made.stdout
    yield NAME
    play("playbooks/virtual.yml", "-e", "virtual_host_state=absent")


@pytest.fixture(scope="session")
def device(bare_device: str) -> Device:
    """The device after ``site.yml``."""
    done = play("site.yml")
    assert done.returncode == 0, done.stdout
    return Device()


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some minutes of speech, so that a task lasts long enough to be hit in its middle."""
    path = tmp_path_factory.mktemp("audio") / "long.wav"
    with wave.open(str(SAMPLE)) as sample, wave.open(str(path), "wb") as out:
        out.setparams(sample.getparams())
        frames = sample.readframes(sample.getnframes())
        for _ in range(8):
            out.writeframes(frames)
    return path
