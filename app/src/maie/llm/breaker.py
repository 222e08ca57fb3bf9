"""A circuit breaker: a server that failed several times in a row is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Counts failures in a row and says whether another request makes sense.

    After ``failures`` of them it opens and lets nothing through for ``seconds``. Then it is half open: the next request
    is a trial that closes it or opens it again.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._in_a_row = 0
        self._opened = 0.0

    @property
    def _tripped(self) -> bool:
        return self._in_a_row >= self._failures

    @property
    def is_open(self) -> bool:
        """Whether no request may be sent at present."""
        return self._tripped and self._clock() - self._opened < self._seconds

    @property
    def is_half_open(self) -> bool:
        """Whether the next request is a trial, not to be repeated when it fails."""
        return self._tripped and not self.is_open

    def succeeded(self) -> None:
        """Note that a request was answered."""
        self._in_a_row = 0

    def failed(self) -> None:
        """Note that a request and its retries failed."""
        self._in_a_row += 1
        if self._tripped:
            self._opened = self._clock()
