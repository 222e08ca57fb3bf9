"""The service's processes as a user who may not run them: a sentence that says what to do, and nothing is begun."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stack import Stack

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
import maie.api.main, maie.worker
from maie.cli import main
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(main(sys.argv[1:]))
"""
"""Becomes the other user only when all is loaded: Python itself may lie where only root can read it."""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can run something as somebody else")


@pytest.fixture
def open_to_all() -> Iterator[Stack]:
    """A service that any user can run. pytest closes its own folders, even beneath a test, when it is started again."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), certified=True)
        for path in (stack.folder, *stack.credentials.iterdir(), stack.credentials, stack.data, stack.redis_socket):
            path.chmod(0o777)
        yield stack
        stack.stop()


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("api", "credentials"),
        ("api", "credentials/api_keys"),
        ("api", "credentials/redis_password"),
        ("api", "data"),
        ("api", "redis.sock"),
        ("worker", "credentials"),
        ("worker", "data"),
    ],
)
def test_what_is_closed_to_the_user_is_named_with_a_remedy(open_to_all: Stack, command: str, closed: str) -> None:
    path = open_to_all.folder / closed
    path.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, command],
        env=open_to_all.env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"maie: {path}")
    assert done.stderr.endswith(
        f" is not open to the user nobody. The service's unit has what it needs: run 'systemctl start maie-{command}' "
        "as root.\n"
    )
    assert "Traceback" not in done.stdout + done.stderr
