"""Built wheels in a release: which one fits a host, and what of a lock they take the place of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import locks
import pytest
import wheel_store
from plugin_runner import RunModule

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
BOARD = {"architecture": "aarch64", "python": "310", "cuda": "12.6.68"}
BUILDER = {"architecture": "aarch64", "python": "cpython-310-aarch64-linux-gnu", "cuda": "12.6.85"}
LOCK = """\
ctranslate2==4.8.5 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
faster-whisper==1.2.1 \\
    --hash=sha256:cc
nvidia-cudnn-cu12==9.10.2.21 \\
    --hash=sha256:dd
torch @ https://example.org/torch-2.8.0-cp310-cp310-linux_aarch64.whl \\
    --hash=sha256:ee
"""


@pytest.fixture
def store(tmp_path: Path, run_module: RunModule) -> Any:
    """Run wheel_store on a wheelhouse of its own."""

    def run(**arguments: Any) -> dict[str, Any]:
        return run_module(wheel_store, wheelhouse=str(tmp_path / "house"), name="probe", **arguments)

    return run


def publish(store: Any, fingerprint: str, built_at: str, **builder: str | None) -> None:
    incoming = Path(store(fingerprint=fingerprint, state="incoming")["incoming"])
    (incoming / "probe-1-py3-none-any.whl").write_bytes(fingerprint.encode())
    manifest = {"builder": {**BUILDER, **builder}, "built_at": built_at, "install": {"imports": ["probe"]}}
    digest = hashlib.sha256(fingerprint.encode()).hexdigest()
    store(fingerprint=fingerprint, state="published", manifest=manifest, wheel_sha256=digest)


def test_the_newest_that_fits_the_host(store: Any) -> None:
    assert not store(fingerprint="newest", platform=BOARD)["found"]
    publish(store, "a" * 64, "2026-01-01T00:00:00Z")
    publish(store, "b" * 64, "2026-01-02T00:00:00Z")
    publish(store, "c" * 64, "2026-01-03T00:00:00Z", python="cpython-311-aarch64-linux-gnu")
    publish(store, "d" * 64, "2026-01-04T00:00:00Z", architecture="x86_64")
    publish(store, "e" * 64, "2026-01-05T00:00:00Z", cuda="13.0.1")
    found = store(fingerprint="newest", platform=BOARD)
    assert found["fingerprint"] == found["artefact"]["fingerprint"] == "b" * 64
    assert found["install"] == {"imports": ["probe"]}
    assert store(fingerprint="a" * 64)["artefact"]["sha256"] == hashlib.sha256(b"a" * 64).hexdigest()
    publish(store, "f" * 64, "2026-01-06T00:00:00Z", cuda=None)
    assert store(fingerprint="newest", platform={**BOARD, "cuda": None})["fingerprint"] == "f" * 64


def test_a_lock_without_what_was_built() -> None:
    assert locks.lock_without(LOCK, []) == LOCK
    rest = locks.lock_without(LOCK, {"CTranslate2": "newest", "torch": "newest"})
    assert [line.split()[0] for line in rest.splitlines()] == [
        "faster-whisper==1.2.1",
        "--hash=sha256:cc",
        "nvidia-cudnn-cu12==9.10.2.21",
        "--hash=sha256:dd",
    ]


def test_a_lock_for_pip_without_a_way_out() -> None:
    """An address in a requirement is asked by pip, whatever ``--find-links`` has."""
    by_url = LOCK.replace("torch-2.8.0-", "torch-2.8.0%2Bcu126-")
    rest = locks.lock_by_version(by_url)
    assert rest == by_url.replace(
        "torch @ https://example.org/torch-2.8.0%2Bcu126-cp310-cp310-linux_aarch64.whl", "torch==2.8.0+cu126"
    )
    assert " @ " not in locks.lock_by_version((REQUIREMENTS / "aarch64-cp310-vllm.txt").read_text())


def test_server_builds_in_a_lock_are_found() -> None:
    assert locks.lock_refused(LOCK, ["nvidia-.*", "flashinfer-.*"]) == ["nvidia-cudnn-cu12"]
    assert locks.lock_refused(LOCK, []) == []
