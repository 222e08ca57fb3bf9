"""The language model's server on this host: whether there is one, and how to wait while its unit restarts it.

The unit (``maie-llm.service``) restarts a server that has ended. When a start fails it adds a line to ``llm-failed`` in
``run_dir`` with what systemd says of it, and removes the file as soon as a start has succeeded. One failed start may be
chance, as when the kernel kills a process while memory is short; whoever waits gives up at the second.
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from maie import backends
from maie.errors import LlmTimeout, LlmUnavailable
from maie.httpclient import PassingFailure, Refused, TimedOut, TooLarge, bearer, exchange
from maie.platform import is_loopback
from maie.settings import Settings

FAILED = "llm-failed"
MOST_FAILED_STARTS = 2

POLL_SECONDS = 0.5
PROBE_SECONDS = 5.0
"""Time in which a running server says so; its engine may be in the middle of a step."""

MAX_BYTES = 64 * 1024

TOO_SLOW = "it gave no token in time"
ENDS = {
    "oom-kill": "it ran out of memory",
    "timeout": TOO_SLOW,
    "exit-code killed TERM": TOO_SLOW,
    "exit-code exited 0": TOO_SLOW,
    "exit-code exited 143": TOO_SLOW,
}
"""The meaning of systemd's service result, or of result and exit status. If the probe after a start gives up, the
result is the probe's and the exit status the server's."""


def is_local(settings: Settings) -> bool:
    """Whether the server runs on this host: its address is a socket or loopback, and its model is one of ours."""
    if backends.LLM[settings.llm_backend].place != "server" or settings.llm_model is None:
        return False
    address = urlsplit(settings.llm_url)
    if address.scheme == "http+unix":
        return True
    return is_loopback(address.hostname or "")


def has_unit(settings: Settings) -> bool:
    """Whether the server is that of the unit, which restarts it: it listens on a socket in ``run_dir``."""
    address = urlsplit(settings.llm_url)
    is_socket = address.scheme == "http+unix" and Path(unquote(address.netloc)).parent == settings.run_dir
    return is_socket and is_local(settings)


def why_given_up(run_dir: Path) -> str | None:
    """Return in a sentence why the server's next start would fail too; None as long as it makes sense to wait.

    A line of the file holds systemd's ``$SERVICE_RESULT``, ``$EXIT_CODE`` and ``$EXIT_STATUS``, such as
    ``exit-code exited 1``.
    """
    try:
        failed = (run_dir / FAILED).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    if len(failed) < MOST_FAILED_STARTS:
        return None
    result, *exit_status = failed[-1].split() or ["unknown"]
    how = ENDS.get(failed[-1]) or ENDS.get(result)
    if how is None and exit_status:
        kind, status = exit_status[0], exit_status[-1]
        how = f"it ended with status {status}" if kind == "exited" else f"it was ended by signal {status}"
    return f"The language model's server did not start: {how or result}."


def wait_until_up(url: str, key: str | None, run_dir: Path, deadline: float) -> None:
    """Wait until the server takes requests.

    Args:
        url: Its base address, with /v1.
        key: The API key it expects, or None.
        run_dir: Where its unit says that a start has failed.
        deadline: On the clock of :func:`time.monotonic`, in seconds.

    Raises:
        LlmUnavailable: Its starts fail.
        LlmTimeout: The deadline passed.
    """
    while True:
        if reason := why_given_up(run_dir):
            raise LlmUnavailable(reason)
        if _is_up(url, key):
            return
        if time.monotonic() + POLL_SECONDS >= deadline:
            raise LlmTimeout
        time.sleep(POLL_SECONDS)


def _is_up(url: str, key: str | None) -> bool:
    """Ask vLLM's ``/health``, which is 200 only while its engine lives; a server without that path counts as up."""
    health = f"{url.removesuffix('/v1')}/health"
    try:
        for _ in exchange("GET", health, None, bearer(key), time.monotonic() + PROBE_SECONDS, MAX_BYTES, PROBE_SECONDS):
            pass
    except (PassingFailure, TimedOut):
        return False
    except (Refused, TooLarge):
        return True
    return True
