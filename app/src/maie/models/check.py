"""Which models are in some folders, and whether their files are what they must be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maie.errors import ConfigurationError
from maie.models.catalogue import CatalogueFile, catalogue
from maie.models.files import model_name

SUMS = "SHA256SUMS"
PIECE_BYTES = 1 << 20
_VERSION = re.compile(r"[0-9a-f]{12}")
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class Verdict:
    """The verdict on one model's files.

    Attributes:
        sound: None where it could not be found out.
        by: What they were compared with: ``catalogue``, ``SHA256SUMS``, or None.
        problems: A sentence each; none for a sound model.
    """

    name: str
    folder: Path
    sound: bool | None
    by: str | None
    problems: tuple[str, ...]


def models_in(folders: Sequence[Path]) -> list[Path]:
    """Return the folder of each model in ``<folder>/<name>/`` or, as on a device, ``<folder>/<name>/<12 digits>/``.

    Raises:
        ConfigurationError: One of the folders can't be read.
    """
    found: list[Path] = []
    for folder in folders:
        try:
            names = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
            for path in names:
                versions = sorted(inner for inner in path.iterdir() if _VERSION.fullmatch(inner.name))
                found += versions or [path]
        except OSError as error:
            raise ConfigurationError(f"{folder} can't be read: {error.strerror}.") from error
    return found


def verify(folder: Path) -> Verdict:
    """Compare a model's files with the catalogue or, where that lists none, with its ``SHA256SUMS``."""
    name = model_name(folder)
    entry = catalogue().get(name)
    by = "catalogue" if entry and entry.files else SUMS
    try:
        files = entry.files if entry and entry.files else _listed(folder)
        problems = tuple(problem for file in files if (problem := _problem(folder, file)))
    except (OSError, ConfigurationError) as error:
        told = error.detail if isinstance(error, ConfigurationError) else f"It can't be read: {error}."
        return Verdict(name, folder, None, None, (told,))
    return Verdict(name, folder, not problems, by, problems)


def _listed(folder: Path) -> list[CatalogueFile]:
    """Return the files that a folder's own list names; their sizes are not in it.

    Raises:
        ConfigurationError: There is no list, or it can't be understood.
    """
    path = folder / SUMS
    if not path.is_file():
        raise ConfigurationError(f"Neither the catalogue nor a {SUMS} says what its files must be.")
    lines = [_SUM.fullmatch(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    found = [line for line in lines if line and Path(line[2]).name == line[2]]
    if not found or len(found) < len(lines):
        raise ConfigurationError(f"Its {SUMS} has lines that are no sum of a file beside it.")
    return [CatalogueFile(line[2], -1, line[1]) for line in found]


def _problem(folder: Path, file: CatalogueFile) -> str | None:
    """Return what is wrong with a file.

    Raises:
        OSError: It can't be read.
    """
    path = folder / file.name
    if not path.is_file():
        return f"{file.name} is missing."
    size = path.stat().st_size
    if file.size not in (-1, size):
        return f"{file.name} has {size} bytes instead of {file.size}."
    if file.sha256:
        right = _digest(path, hashlib.sha256()) == file.sha256
    else:
        blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        right = _digest(path, blob) == file.git_id
    return None if right else f"{file.name} is another file: its {'SHA-256' if file.sha256 else 'Git id'} differs."


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
