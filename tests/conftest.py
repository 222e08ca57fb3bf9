"""Fixtures for all tests: whole services, and speech to give them."""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ansible.module_utils
import httpx
import pytest
from support.processes import wait_for
from support.stack import MIB, WITH_LLM, Figure, Stack

# So that the tests import what modules share as Ansible does.
ansible.module_utils.__path__.append(str(Path(__file__).parents[1] / "plugins/module_utils"))

SENTENCES = (
    "The budget was approved by the whole team. We will meet again on the third of May. "
    "Anna sends the report to the office before the end of the week."
)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Take what a test has measured, for the end of the run's output: passed or not, and in whichever process."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have measured."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [(report.nodeid, text) for report in reports for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
    for test, text in dict.fromkeys(figures):
        terminalreporter.write_line(f"{test.rsplit('::')[-1]}: {text}")


@pytest.fixture(scope="session")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Make services that end with the session at the latest. Settings as for :class:`Stack`."""
    made: list[Stack] = []

    def make(**settings: Any) -> Stack:
        made.append(Stack(tmp_path_factory.mktemp("stack", numbered=True), **settings))
        return made[-1]

    yield make
    for stack in made:
        stack.stop()


@pytest.fixture
def own_stack(make_stack: Callable[..., Stack]) -> Iterator[Callable[..., Stack]]:
    """Make services that end with the test."""
    made: list[Stack] = []

    def make(**settings: Any) -> Stack:
        made.append(make_stack(**settings))
        return made[-1]

    yield make
    for stack in made:
        stack.stop()


@pytest.fixture(scope="session")
def service(make_stack: Callable[..., Stack]) -> Stack:
    """One whole service with the default limits and both models, for tests that leave it sound."""
    stack = make_stack(**WITH_LLM)
    stack.start("worker", "api")
    return stack


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], bytes]:
    """Return speech of about so many seconds as a wav file, 22.05 kHz mono."""
    path: Path = tmp_path_factory.mktemp("speech") / "speech.wav"
    subprocess.run(["espeak-ng", "-w", str(path), SENTENCES], check=True)
    with wave.open(str(path)) as source:
        parameters, frames = source.getparams(), source.readframes(source.getnframes())

    def make(seconds: float) -> bytes:
        wanted = int(seconds * parameters.framerate) * parameters.sampwidth
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as target:
            target.setparams(parameters)
            target.writeframes((frames * (wanted // len(frames) + 1))[:wanted])
        return buffer.getvalue()

    return make


@pytest.fixture
def leaves_the_service_sound(service: Stack) -> Iterator[None]:
    """After every test: healthy, ready, no upload left over."""
    yield
    assert httpx.get(f"{service.url}/health").json() == {"status": "ok"}
    wait_for(lambda: not service.uploads(), 60, "empty uploads folder")
    wait_for(lambda: httpx.get(f"{service.url}/ready").status_code == 200, 60, "readiness")


@pytest.fixture(scope="session")
def small(make_stack: Callable[..., Stack]) -> Stack:
    """A service without a language model that takes 1 MiB and a minute of audio at most."""
    stack = make_stack(max_upload_bytes=MIB, max_audio_seconds=60, upload_idle_seconds=1)
    stack.start("worker", "api")
    return stack
