"""Waits until the language model's server answers with a token: what its unit calls started."""

from __future__ import annotations

import time
from pathlib import Path

from maie.errors import MaieError
from maie.llm.base import Chat
from maie.llm.openai import load
from maie.settings import Settings

PAUSE_SECONDS = 1.0


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
        server: The process that serves; when it is gone, nothing is waited for any more.

    Returns:
        None when a token came, else why not.
    """
    trouble = "nothing was asked"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server is not None and not Path(f"/proc/{server}").exists():
            return f"The server has ended. {trouble}"
        answer = one_token(settings)
        if answer is None:
            return None
        trouble = answer
        time.sleep(PAUSE_SECONDS)
    return f"No token came within {seconds:.0f} s. {trouble}"
