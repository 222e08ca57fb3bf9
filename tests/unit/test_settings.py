"""The settings: what a profile gives, what wins over it, and how the platform is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from maie import settings as module
from maie.errors import ConfigurationError
from maie.platform import is_jetson
from maie.settings import load_settings
from support.audiofiles import MODEL

RELEASE_36_4_3 = """\
# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025
# KERNEL_VARIANT: oot
TARGET_USERSPACE_LIB_DIR=nvidia
TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing but a model is set."""
    for name in [name for name in os.environ if name.startswith("MAIE_") or name == "CREDENTIALS_DIRECTORY"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAIE_ASR_MODEL", str(MODEL))
    return monkeypatch


@pytest.mark.parametrize(
    ("profile", "device", "compute_type", "beam_size", "capacity"),
    [
        ("embedded", "cpu", "int8", 3, 5),
        ("jetson", "cuda", "int8_float16", 3, 5),
        ("x86", "cuda", "float16", 5, 50),
    ],
)
def test_a_profile_gives_the_defaults(
    environment: pytest.MonkeyPatch, profile: str, device: str, compute_type: str, beam_size: int, capacity: int
) -> None:
    environment.setenv("MAIE_PROFILE", profile)
    settings = load_settings()
    assert settings.profile == profile
    assert (settings.asr_device, settings.asr_compute_type) == (device, compute_type)
    assert (settings.asr_beam_size, settings.queue_capacity) == (beam_size, capacity)


def test_the_environment_wins_over_the_profile(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MAIE_PROFILE", "x86")
    environment.setenv("MAIE_QUEUE_CAPACITY", "7")
    environment.setenv("MAIE_ASR_DEVICE", "cpu")
    settings = load_settings()
    assert (settings.queue_capacity, settings.asr_device, settings.asr_beam_size) == (7, "cpu", 5)


@pytest.mark.parametrize(("on_a_jetson", "profile"), [(True, "jetson"), (False, "x86")])
def test_without_a_profile_the_platform_decides(
    environment: pytest.MonkeyPatch, on_a_jetson: bool, profile: str
) -> None:
    environment.setattr(module, "is_jetson", lambda: on_a_jetson)
    assert load_settings().profile == profile


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAIE_PROFILE", "orin", "MAIE_PROFILE is 'orin'; it must be one of embedded, jetson, x86."),
        ("MAIE_PROFILE", "", "MAIE_PROFILE is ''"),
        ("MAIE_QUEUE_CAPACITY", "0", "MAIE_QUEUE_CAPACITY"),
        ("MAIE_PORT", "http", "MAIE_PORT"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(
    environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv("MAIE_PROFILE", "embedded")
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_the_credentials_of_a_systemd_unit_are_found(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MAIE_PROFILE", "embedded")
    assert load_settings().credentials_dir == Path("/etc/maie/credentials")
    environment.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/maie-api.service")
    assert load_settings().credentials_dir == Path("/run/credentials/maie-api.service")
    environment.setenv("MAIE_CREDENTIALS_DIR", "/tmp/credentials")
    assert load_settings().credentials_dir == Path("/tmp/credentials")


def test_an_empty_socket_means_tcp(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MAIE_PROFILE", "embedded")
    assert load_settings().redis_socket == Path("/run/maie-redis/redis.sock")
    environment.setenv("MAIE_REDIS_SOCKET", "")
    environment.setenv("MAIE_REDIS_PORT", "6380")
    settings = load_settings()
    assert (settings.redis_socket, settings.redis_host, settings.redis_port) == (None, "127.0.0.1", 6380)


@pytest.mark.parametrize(
    ("text", "expected"), [(RELEASE_36_4_3, True), ("", False), ("Debian GNU/Linux 12\n", False), (None, False)]
)
def test_a_jetson_is_told_by_its_release_file(tmp_path: Path, text: str | None, expected: bool) -> None:
    path = tmp_path / "nv_tegra_release"
    if text is not None:
        path.write_text(text)
    assert is_jetson(path) is expected
