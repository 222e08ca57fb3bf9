"""Speech models that load and run, and are of no use: what a gate is there to refuse."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLOAT16 = 4
"""Number of the type in a ``model.bin`` of CTranslate2; both Whisper models that the tests have are of it."""

Weights = NDArray[np.float16]


def shuffled(model: Path, folder: Path) -> Path:
    """Copy a model with the numbers of each of its matrices in another order."""
    random = np.random.default_rng(7)
    return _with_weights(model, folder, random.permutation)


def zeros(model: Path, folder: Path) -> Path:
    """Copy a model with all of its weights zero."""
    return _with_weights(model, folder, np.zeros_like)


def of_one_language(model: Path, folder: Path, language: str) -> Path:
    """Copy a multilingual model that takes all speech for a language, and says that it knows no other."""
    shutil.copytree(model, folder)
    vocabulary = (folder / "vocabulary.txt").read_text(encoding="utf-8")
    tokens = vocabulary.split("\n")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["lang_ids"] = [tokens.index(f"<|{language}|>")]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    others = re.compile(rf"^<\|(?!{language}\|)([a-z]{{2,3}})\|>$", re.MULTILINE)
    (folder / "vocabulary.txt").write_text(others.sub(r"<|not \1|>", vocabulary), encoding="utf-8")
    return _summed(folder)


def _with_weights(model: Path, folder: Path, change: Callable[[Weights], Weights]) -> Path:
    shutil.copytree(model, folder)
    content = bytearray((folder / "model.bin").read_bytes())
    for start, size in _matrices(bytes(content)):
        weights: Weights = np.frombuffer(content, np.float16, size // 2, start)
        content[start : start + size] = change(weights).tobytes()
    (folder / "model.bin").write_bytes(content)
    return _summed(folder)


def _matrices(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the numbers of each matrix begin and how many bytes they have."""
    (name,) = struct.unpack_from("<H", content, 4)
    place = 4 + 2 + name + 4
    (variables,) = struct.unpack_from("<I", content, place)
    place += 4
    for _ in range(variables):
        (name,) = struct.unpack_from("<H", content, place)
        place += 2 + name
        rank = content[place]
        place += 1 + 4 * rank
        kind, size = struct.unpack_from("<BI", content, place)
        place += 5
        if kind == FLOAT16 and rank > 1:
            yield place, size
        place += size


def _summed(folder: Path) -> Path:
    """Write the digests of what is there now: a deployment takes no model without them."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return folder
