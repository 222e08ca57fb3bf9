"""Whether the language model's server answers: asked now and then, in a thread that nobody waits for long."""

from __future__ import annotations

import threading
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from maie.errors import ConfigurationError
from maie.httpclient import bearer, read_key
from maie.llm.transport import server_user
from maie.peer import is_of
from maie.settings import Settings

FRESH_SECONDS = 5.0
"""How long an answer counts."""

PATIENCE_SECONDS = 2.0
"""A server that takes longer to list its models is down."""


class _Connection(HTTPConnection):
    """A connection over which nothing is sent unless the server is whose it must be."""

    def __init__(self, *where: Any, user: int | None, **how: Any) -> None:
        super().__init__(*where, **how)
        self._user = user

    def connect(self) -> None:
        super().connect()
        if self._user is not None and not is_of(self.sock, self._user, PATIENCE_SECONDS):
            raise ConnectionRefusedError("who listens is not the server")


class _Opener(urllib.request.HTTPHandler):
    """Opens such connections."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_Connection, user=server_user(self._settings)), request)


class LlmProbe:
    """Asks one server for its models, which costs it next to nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opener = urllib.request.build_opener(_Opener(settings))
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
            request = urllib.request.Request(f"{self._settings.llm_url.rstrip('/')}/models")  # noqa: S310 - the operator's
            for name, value in bearer(read_key(self._settings.credentials_dir / "llm_key")).items():
                # The key is for this server, and not for another one to which it may redirect.
                request.add_unredirected_header(name, value)
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                return bool(answer.status == 200)
        except (OSError, HTTPException, ValueError, ConfigurationError):
            return False
