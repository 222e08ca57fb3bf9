"""A whole virtual device, provisioned by the real playbooks, for tests that break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.audiofiles import sample, write_wav
from support.virtual import NAME, Device, DryRun, docker, of_the_machine, play, remove


@pytest.fixture(scope="session")
def machine_before() -> dict[str, str]:
    """What the machine was like before there was a virtual device."""
    return of_the_machine()


@pytest.fixture(scope="session")
def bare_device(machine_before: dict[str, str]) -> Iterator[str]:
    """A virtual device on which nothing has been done."""
    made = play("playbooks/virtual.yml")
    assert made.returncode == 0, made.stdout
    yield NAME
    remove()


@pytest.fixture(scope="session")
def dry_run(bare_device: str) -> DryRun:
    """``site.yml --check --diff`` on the bare device: the only moment at which it is one."""
    before = docker("diff", bare_device).splitlines()
    checked = play("site.yml", "--check", "--diff")
    return DryRun(checked, set(docker("diff", bare_device).splitlines()) - set(before))


@pytest.fixture(scope="session")
def device(dry_run: DryRun) -> Device:
    """The device after ``site.yml``."""
    done = play("site.yml")
    assert done.returncode == 0, done.stdout
    return Device()


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of speech, so that a task lasts long enough to be hit in its middle."""
    return write_wav(tmp_path_factory.mktemp("audio") / "long.wav", np.tile(sample(), 2))
