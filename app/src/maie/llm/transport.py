"""One request to a language model's server, whose errors are those of language models."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Any

from maie import httpclient
from maie.errors import LlmAnswerInvalid, LlmTimeout
from maie.httpclient import PassingFailure, Refused, TimedOut, TooLarge, bearer

__all__ = ["PassingFailure", "Refused", "post"]

IDLE_SECONDS = 120.0
"""Time between two bytes: a small board reads a long prompt for a minute before its first token."""


def post(
    url: str, body: Mapping[str, Any], key: str | None, deadline: float, most_bytes: int
) -> Generator[bytes, None, None]:
    """Send a JSON body and yield the lines of the answer; see :func:`maie.httpclient.exchange`.

    Raises:
        LlmTimeout: The deadline passed, or nothing came for ``IDLE_SECONDS``.
        LlmAnswerInvalid: The answer is larger than ``most_bytes``.
        PassingFailure: No connection, a broken one, 429, or a status from 500 on.
        Refused: Any other status than 200.
    """
    headers = {"Content-Type": "application/json"} | bearer(key)
    try:
        content = json.dumps(body).encode()
        yield from httpclient.exchange("POST", url, content, headers, deadline, most_bytes, IDLE_SECONDS)
    except TimedOut as error:
        raise LlmTimeout from error
    except TooLarge as error:
        raise LlmAnswerInvalid("The language model's answer is larger than it may be.") from error
