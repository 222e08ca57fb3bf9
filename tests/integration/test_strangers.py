"""Clients without a key that take all the connections they can get, and one from elsewhere that is served meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from maie.api.http.visitors import MOST_SILENT
from support.processes import rss
from support.stack import MIB, Figure, Stack
from support.strangers import Strangers, slowest_health

MOST = 100
SECONDS = 4.0


@pytest.mark.parametrize(("kind", "count"), [("idle", 3 * MOST_SILENT), ("pipelining", 300)])
def test_strangers_neither_fill_the_service_nor_keep_others_out(
    own_stack: Callable[..., Stack], kind: str, count: int, figure: Figure
) -> None:
    stack = own_stack(certified=True, max_connections=MOST)
    stack.start("api")
    pid = stack.unit("api").process.popen.pid
    before, descriptors = rss(pid), len([*Path(f"/proc/{pid}/fd").iterdir()])
    strangers = Strangers(kind, ("127.0.0.1", stack.port), count, "127.0.0.3")
    slowest = slowest_health(stack.url, stack.trust, SECONDS, "127.0.0.2")
    held = len([*Path(f"/proc/{pid}/fd").iterdir()]) - descriptors
    opened = strangers.end()
    grown = (rss(pid) - before) / MIB
    figure(f"{opened} {kind} connections: {held} held, {grown:.0f} MiB more, others waited {slowest:.2f} s at most")
    assert opened > MOST
    assert held <= (MOST_SILENT if kind == "idle" else MOST) + 5
    assert slowest < 2
    assert grown < MOST * 0.4
    assert stack.unit("api").starts == 1
