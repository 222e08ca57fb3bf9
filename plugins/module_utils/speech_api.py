"""A client of MAIE's API, as small as a smoke test needs it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url, prepare_multipart

BUSY = (429, 503)
"""Statuses that say "later", with the seconds to wait in ``Retry-After``."""


@dataclass(frozen=True)
class Answer:
    """One answer of the API."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as an object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def problem(self) -> str:
        """Return the status and what the body says of it."""
        content = self.json()
        return f"HTTP {self.status} {content.get('code', '')} {content.get('detail', '')}".strip()


class SpeechApi:
    """The API of one host.

    Args:
        url: Scheme, host and port.
        key: The API key; empty sends none.
        ca_file: Certificates to trust, for https with the fleet's own authority; empty for the system's.
    """

    def __init__(self, url: str, key: str, ca_file: str, request_seconds: int = 60) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._ca_file = ca_file or None
        self._request_seconds = request_seconds

    def call(self, method: str, path: str, fields: dict[str, Any] | None = None, with_key: bool = True) -> Answer:
        """Send one request and return the answer, whatever its status.

        Raises:
            OSError: Nobody answers, or not in time, or with a certificate that is not trusted.
        """
        headers = {"X-API-Key": self._key} if with_key else {}
        data = None
        if fields is not None:
            content_type, data = prepare_multipart(fields)
            headers["Content-Type"] = content_type
        try:
            response = open_url(
                self.url + path,
                method=method,
                headers=headers,
                data=data,
                ca_path=self._ca_file,
                timeout=self._request_seconds,
                use_proxy=False,
                follow_redirects="none",
            )
        except HTTPError as error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())

    def submit(self, audio_path: str, deadline: float) -> Answer:
        """Upload a file; while the API says that it is busy, wait as long as it asks and try again."""
        fields = {"file": {"filename": audio_path}, "features": "raw_transcript"}
        while True:
            answer = self.call("POST", "/v1/process", fields)
            pause = min(30.0, float(answer.headers.get("retry-after", 1)))
            if answer.status not in BUSY or time.monotonic() + pause > deadline:
                return answer
            time.sleep(pause)

    def follow(self, task_id: str, deadline: float) -> tuple[list[str], dict[str, Any]]:
        """Poll a task to its end; return the states that were seen, in order, and the last answer."""
        states: list[str] = []
        while True:
            task = self.call("GET", f"/v1/status/{task_id}").json()
            state = str(task.get("status", "unknown"))
            if not states or states[-1] != state:
                states.append(state)
            if state in ("COMPLETE", "FAILED", "CANCELLED") or time.monotonic() > deadline:
                return states, task
            time.sleep(0.2)
