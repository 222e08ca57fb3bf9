"""A model's files, and the record of them where no digest was published."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.downloads import Refused
from ansible.module_utils.sums import git_id, sha256

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class File:
    """One file of a model.

    Attributes:
        size: In bytes.
        sha256: None where it is unknown: then the first download's counts.
        git_id: Its Git object id, which counts where there is no SHA-256.
    """

    size: int
    sha256: str | None
    git_id: str | None = None

    def is_at(self, path: Path) -> bool:
        """Whether this file is there. A file without a known digest never is."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256:
            return bool(sha256(path) == self.sha256)
        return self.git_id is not None and git_id(path) == self.git_id


@dataclass(frozen=True)
class Record:
    """A hub model's files at the first download, from then on required."""

    repository: str
    revision: str
    commit: str
    files: Mapping[str, File]


def listed(entries: Sequence[Mapping[str, Any]]) -> dict[str, File]:
    """Return the files of a catalogue entry by name.

    Raises:
        Refused: A name leads out of the model's folder.
    """
    for entry in entries:
        if not PLAIN_NAME.fullmatch(entry["name"]):
            raise Refused(f"The catalogue names {entry['name']}, which is not a file in the model's own folder.")
    return {entry["name"]: File(entry["size"], entry.get("sha256"), entry.get("git_id")) for entry in entries}


def sums_text(files: Mapping[str, File]) -> str:
    """Return the ``SHA256SUMS`` of a model whose files are all known."""
    return "".join(f"{file.sha256}  {name}\n" for name, file in sorted(files.items()))


def read_record(lock: Path, name: str) -> Record | None:
    """Return a model's record; None where there is none.

    Raises:
        Refused: The record file can't be read.
    """
    entry = _records(lock).get(name)
    if entry is None:
        return None
    files = {key: File(int(value["size"]), value["sha256"]) for key, value in entry["files"].items()}
    return Record(entry["repository"], entry["revision"], entry["commit"], files)


def recorded_as(lock: Path, wanted: Mapping[str, Any]) -> Record | None:
    """Return the record of a model's first download; None where there is none.

    Raises:
        Refused: Its source is not the catalogue's.
    """
    known = read_record(lock, wanted["name"])
    hubs = [(one["repository"], one["revision"]) for one in wanted["sources"] if one["from"] == "hub"]
    if known is not None and not _is_of(known, wanted["files"]) and (known.repository, known.revision) not in hubs:
        now = " or ".join(f"{repository} at {revision}" for repository, revision in hubs) or "no hub"
        raise Refused(
            f"{lock} has {wanted['name']} from {known.repository} at {known.revision}, but the catalogue names {now}. "
            "Remove the record to accept the catalogue's."
        )
    return known


def _is_of(known: Record, files: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a record has the catalogue's digests, whatever its repository: repositories get renamed."""
    published = {file["name"]: file["sha256"] for file in files if file.get("sha256")}
    recorded = {name: file.sha256 for name, file in known.files.items()}
    return bool(published) and published.items() <= recorded.items()


def with_recorded_sums(files: Mapping[str, File], recorded: Record | None) -> Mapping[str, File]:
    """Return the files with the digests that only the record has; all of the record's files where none are listed."""
    if recorded is None or not files:
        return recorded.files if recorded else files
    known = {name: file.sha256 for name, file in recorded.files.items()}
    return {name: replace(file, sha256=file.sha256 or known.get(name)) for name, file in files.items()}


def write_record(lock: Path, name: str, record: Record) -> None:
    """Record a model, so that no other files are accepted from now on."""
    entry: dict[str, Any] = {
        "repository": record.repository,
        "revision": record.revision,
        "commit": record.commit,
        "files": {key: {"size": file.size, "sha256": file.sha256} for key, file in sorted(record.files.items())},
    }
    fresh = lock.with_name(f".{lock.name}.new")
    fresh.write_text(json.dumps({**_records(lock), name: entry}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(lock)


def _records(lock: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{lock} can't be read: {error}") from error
    return found
