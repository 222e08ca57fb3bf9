"""Whether the language model's server answers. It is asked now and then, in a thread of its own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting

from maie.errors import ConfigurationError
from maie.httpclient import PassingFailure, Refused, TimedOut, TooLarge, base_url, bearer, exchange, read_key
from maie.settings import Settings

FRESH_SECONDS = 5.0
"""How long an answer is believed."""

PATIENCE_SECONDS = 2.0
"""A server that takes longer to list its models is down."""

MAX_BYTES = 1024**2
"""Bytes that the list may have."""


class LlmProbe:
    """Asks one server for its list of models, which costs it next to nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asker = ThreadPoolExecutor(1, "llm-probe")
        self._lock = threading.Lock()
        self._answer: Future[bool] | None = None
        self._asked = 0.0

    def up(self) -> bool:
        """Whether the server has answered lately."""
        with self._lock:
            stale = time.monotonic() - self._asked > FRESH_SECONDS
            if self._answer is None or (stale and self._answer.done()):
                self._asked = time.monotonic()
                self._answer = self._asker.submit(self._ask)
            answer = self._answer
        try:
            return answer.result(PATIENCE_SECONDS)
        except StillWaiting:
            return False

    def _ask(self) -> bool:
        try:
            url = f"{base_url('MAIE_LLM_URL', self._settings.llm_url)}/models"
            headers = bearer(read_key(self._settings.credentials_dir / "llm_key"))
            deadline = time.monotonic() + PATIENCE_SECONDS
            for _ in exchange("GET", url, None, headers, deadline, MAX_BYTES, PATIENCE_SECONDS):
                pass
        except (PassingFailure, Refused, TimedOut, TooLarge, ConfigurationError, ValueError):
            return False
        return True
