"""What a model's folder tells of the model."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

MULTILINGUAL_TOKENS = 51_865
"""Whisper vocabularies of fewer tokens are English-only."""

_LANGUAGE_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")


def model_name(folder: Path) -> str:
    """Return the model's name: the folder's, or its parent's where the folder is named by a digest (12 hex digits)."""
    folder = folder.resolve()
    return folder.parent.name if re.fullmatch(r"[0-9a-f]{12}", folder.name) else folder.name


def model_sha256(folder: Path) -> str | None:
    """Return the SHA-256 of the model's weights as its ``SHA256SUMS`` says, or None where there is no such file."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        return None
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*").removeprefix("./") == "model.bin":
            return digest
    return None


def asr_languages(folder: Path) -> tuple[str, ...]:
    """Return the ISO 639-1 codes that a Whisper model in CTranslate2 form knows; none where its files don't say.

    Only the vocabulary is read, so that the API needs no model for it.
    """
    try:
        return _languages(folder)
    except (OSError, ValueError):
        return ()


@cache
def _languages(folder: Path) -> tuple[str, ...]:
    tokens = _vocabulary(folder)
    if len(tokens) < MULTILINGUAL_TOKENS:
        return ("en",)
    return tuple(found[1] for token in tokens if (found := _LANGUAGE_TOKEN.fullmatch(token)))


def _vocabulary(folder: Path) -> list[str]:
    """Return a model's tokens: a JSON array since CTranslate2 3.17, a line each before."""
    array = folder / "vocabulary.json"
    if array.is_file():
        tokens: list[str] = json.loads(array.read_text(encoding="utf-8"))
        return tokens
    return (folder / "vocabulary.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
