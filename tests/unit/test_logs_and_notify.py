from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest
from maie.logs import configure_logging, get_logger
from maie.notify import notify
from structlog.contextvars import bound_contextvars


def test_every_line_is_json_and_has_the_bound_task(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("info")
        with bound_contextvars(task_id="t1"):
            get_logger("maie.test").info("ours", answer=42)
            logging.getLogger("some.library").warning("theirs %s", "too")
            try:
                int("inner")
            except ValueError:
                get_logger("maie.test").exception("failed")
        get_logger("maie.test").debug("not shown")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "theirs too", "failed"]
    assert {line["task_id"] for line in lines} == {"t1"}
    assert lines[0]["answer"] == 42
    assert lines[2]["exception"][0]["exc_type"] == "ValueError"


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        notify("READY=1", "STATUS=Serving")
        assert manager.recv(100) == b"READY=1\nSTATUS=Serving"


def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_service_manager_that_does_not_listen_stops_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    notify("WATCHDOG=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
    notify("WATCHDOG=1")
