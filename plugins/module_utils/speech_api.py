"""A small client of MAIE's API for the smoke test. Runs on the control node, which has httpx."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUSY = (429, 503)
"""Statuses that mean "later", with the seconds to wait in ``Retry-After``."""

ENDED = ("COMPLETE", "FAILED", "CANCELLED")


class NoAnswer(Exception):
    """There is no answer, or not in time, or its certificate is not trusted."""


@dataclass(frozen=True)
class Answer:
    """One answer of the API; ``content`` is the JSON object of its body, or empty."""

    status: int
    retry_after: float
    text: str
    content: dict[str, Any]

    def problem(self) -> str:
        """Return the status with the body's explanation."""
        return f"HTTP {self.status} {self.content.get('code', '')} {self.content.get('detail', '')}".strip()


class SpeechApi:
    """The API of one host.

    Args:
        url: Scheme, host and port.
        key: The API key.
        ca_file: Certificates to trust, for https with the fleet's own authority; empty for the system's.
    """

    def __init__(self, url: str, key: str, ca_file: str, request_seconds: float = 60.0) -> None:
        import httpx

        trust = ssl.create_default_context(cafile=ca_file or None)
        self._key = {"X-API-Key": key}
        self._errors = httpx.HTTPError
        self._client = httpx.Client(base_url=url, verify=trust, timeout=request_seconds, trust_env=False)

    def call(
        self,
        method: str,
        path: str,
        audio: Path | None = None,
        fields: Mapping[str, str] | None = None,
        with_key: bool = True,
    ) -> Answer:
        """Send one request, with the audio and form fields if given; return the answer unchanged.

        Raises:
            NoAnswer: No answer came.
        """
        headers = self._key if with_key else {}
        files = {"file": (audio.name, audio.read_bytes())} if audio else None
        try:
            response = self._client.request(method, path, headers=headers, files=files, data=fields)
        except self._errors as error:
            raise NoAnswer(f"{method} {self._client.base_url}{path}: {error}") from None
        is_json = "json" in response.headers.get("content-type", "")
        content = response.json() if is_json else {}
        return Answer(
            status=response.status_code,
            retry_after=float(response.headers.get("retry-after", 1)),
            text=response.text,
            content=content if isinstance(content, dict) else {},
        )

    def submit(self, audio: Path, fields: Mapping[str, str], deadline: float) -> Answer:
        """Upload a file with its form fields; while the API is busy, wait as long as it says and retry."""
        while True:
            answer = self.call("POST", "/v1/process", audio, fields)
            pause = min(30.0, answer.retry_after)
            if answer.status not in BUSY or time.monotonic() + pause > deadline:
                return answer
            time.sleep(pause)

    def follow(self, task_id: str, deadline: float) -> tuple[list[str], dict[str, Any]]:
        """Poll a task until it ends; return the states seen, in order, and the last answer."""
        states: list[str] = []
        while True:
            task = self.call("GET", f"/v1/status/{task_id}").content
            state = str(task.get("status", "unknown"))
            if not states or states[-1] != state:
                states.append(state)
            if state in ENDED or time.monotonic() > deadline:
                return states, task
            time.sleep(0.2)
