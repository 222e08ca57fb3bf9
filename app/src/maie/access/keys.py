"""The API keys: who may use the service.

A key is 256 random bits or more, so one round of SHA-256 is enough to store it by.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from pathlib import Path

from maie.errors import ConfigurationError

_LINE = re.compile(r"(?P<id>[A-Za-z0-9._-]{1,64}):(?P<digest>[0-9a-f]{64})")


class KeyRing:
    """The accepted keys, by their id."""

    def __init__(self, digests: dict[str, bytes]) -> None:
        self._digests = digests

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """Read the file of keys: a line ``id:<SHA-256 of the key in hex>`` for each; ``#`` begins a comment.

        Raises:
            PermissionError: This user may not read it.
            ConfigurationError: It can't be read, a line is malformed, or there is no key in it. There is no default.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except PermissionError:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The API keys can't be read from {path}: {error}.") from None
        digests = {}
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.split("#", 1)[0].strip()
            if not entry:
                continue
            match = _LINE.fullmatch(entry)
            if match is None:
                raise ConfigurationError(f"{path}, line {number}, is not of the form id:<64 hexadecimal digits>.")
            digests[match["id"]] = match["digest"].encode()
        if not digests:
            raise ConfigurationError(f"There is no API key in {path}; the service does not run without one.")
        return cls(digests)

    def identify(self, key: bytes) -> str | None:
        """Return the id of ``key``, or None. Takes the same time whichever key matches, if any."""
        digest = sha256(key).hexdigest().encode()
        found = None
        for key_id, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = key_id
        return found
