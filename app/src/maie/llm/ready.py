"""Waits until the language model's server answers with a token, which is when its unit counts as started."""

from __future__ import annotations

import time
from pathlib import Path

from maie.errors import MaieError
from maie.llm.base import Chat
from maie.llm.openai import load
from maie.settings import Settings

PAUSE_SECONDS = 1.0

ENGINE = "VLLM::EngineCor"
"""The name of vLLM's engine process, as the kernel shortens it."""


def one_token(settings: Settings) -> str | None:
    """Ask for one token, once; return None when it came, else why not."""
    once = settings.model_copy(update={"llm_retries": 0})
    try:
        reply = load(once).reply(Chat(({"role": "user", "content": "Hello"},), 1), lambda _: None)
    except MaieError as error:
        return error.detail
    return None if reply.reply_tokens else "It answered without a token."


def wait_for_token(settings: Settings, seconds: float, server: int | None) -> str | None:
    """Ask for one token until one comes.

    Args:
        settings: Where the server is.
        seconds: How long to ask.
        server: The server's process. When it or its engine is gone, waiting ends: a vLLM whose engine is killed just
            before it serves would wait for ever.

    Returns:
        None when a token came, else why not.
    """
    trouble = "nothing was asked"
    had_engine = False
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server is not None and not Path(f"/proc/{server}").exists():
            return f"The server has ended. {trouble}"
        has_engine = server is not None and _has_engine(server)
        if had_engine and not has_engine:
            return f"The server's engine has ended. {trouble}"
        had_engine = has_engine
        answer = one_token(settings)
        if answer is None:
            return None
        trouble = answer
        time.sleep(PAUSE_SECONDS)
    return f"No token came within {seconds:.0f} s. {trouble}"


def _has_engine(server: int) -> bool:
    """Whether an engine process is among the children of a process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        state, parent = rest.split()[:2]
        if name == ENGINE and int(parent) == server and state != "Z":
            return True
    return False
