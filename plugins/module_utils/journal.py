"""The state of systemd units, and what they wrote to the journal; pure functions over text."""

from __future__ import annotations

import json
from typing import Any

ERROR_PRIORITY = 3
"""Syslog's "err"; smaller numbers are worse."""


def parse_properties(show_output: str) -> dict[str, str]:
    """Return the ``Name=value`` lines of ``systemctl show`` as a dictionary."""
    return dict(line.split("=", 1) for line in show_output.splitlines() if "=" in line)


def message_text(entry: dict[str, Any]) -> str:
    """Return an entry's message; the journal gives bytes that are not UTF-8 as a list of numbers."""
    message = entry.get("MESSAGE", "")
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return str(message)


def logged_level(message: str) -> str:
    """Return the ``level`` of a structured log line, empty for any other text."""
    if not message.startswith("{"):
        return ""
    try:
        level = json.loads(message).get("level", "")
    except ValueError:
        return ""
    return str(level).lower()


def errors(journal_json: str) -> list[str]:
    """Return the messages of all entries that are errors by priority or by their own level."""
    found = []
    for line in journal_json.splitlines():
        entry = json.loads(line)
        message = message_text(entry)
        if int(entry.get("PRIORITY", 6)) <= ERROR_PRIORITY or logged_level(message) in ("error", "critical"):
            found.append(message)
    return found
