from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from maie.access.keys import KeyRing
from maie.errors import ConfigurationError


def digest(key: bytes) -> str:
    return sha256(key).hexdigest()


def read(folder: Path, text: str) -> KeyRing:
    path = folder / "api_keys"
    path.write_text(text)
    return KeyRing.read(path)


def test_every_key_is_known_by_its_id(tmp_path: Path) -> None:
    ring = read(tmp_path, f"# rotation\nold:{digest(b'one')}\n\nnew:{digest(b'two')}  # since May\n")
    assert ring.identify(b"one") == "old"
    assert ring.identify(b"two") == "new"


@pytest.mark.parametrize("key", [b"", b"three", b"on", b"one ", "schlüssel".encode(), b"\xff\xfe", b"x" * 100_000])
def test_any_other_key_is_unknown(tmp_path: Path, key: bytes) -> None:
    assert read(tmp_path, f"a:{digest(b'one')}\n").identify(key) is None


def test_the_stored_digest_is_no_key(tmp_path: Path) -> None:
    assert read(tmp_path, f"a:{digest(b'one')}\n").identify(digest(b"one").encode()) is None


@pytest.mark.parametrize("text", ["", "# nothing\n", "plain-key\n", "a:beef\n", f"a b:{'0' * 64}\n", f":{'0' * 64}\n"])
def test_without_a_well_formed_key_there_is_no_ring(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="api_keys"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        KeyRing.read(tmp_path / "nowhere")
