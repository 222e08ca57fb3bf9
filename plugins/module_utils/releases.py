"""Releases on a host: which is live, how the link moves, which may go.

``<root>/releases/<id>/`` holds each release, whole once its ``.complete`` is there, and one to go back to once it has
passed its smoke test and ``.proven`` is there. ``<root>/current`` and
``<root>/previous`` are relative links to two of them. A link is replaced by renaming a new one over it, and its folder
is synced, so that after a power cut it points at the old release or at the new one and never at nothing.

``<root>/environments/<id>/`` holds what the language model's server runs in. Releases share it: each names the one that
it starts in its ``manifest.json``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils import durable  # type: ignore[attr-defined]

COMPLETE = ".complete"
PROVEN = ".proven"
MANIFEST = "manifest.json"
RELEASE_ID = re.compile(r"[0-9a-f]{12}")
HISTORY = "history.jsonl"


class ReleaseError(Exception):
    """A release can't be used; the text says which and why."""


@dataclass(frozen=True)
class Links:
    """Where the two links point; empty where there is no link."""

    current: str
    previous: str


@dataclass(frozen=True)
class Retreat:
    """What becomes of a host on which a deploy failed.

    Attributes:
        stays: What is live is left alone: nothing was made live, or what is live has proven itself before.
        release: The release to make live again; empty where the host stays, or has none to go back to.
        previous: The release to remember then, if any.
        told: The outcome, as a sentence.
    """

    stays: bool
    release: str
    previous: str
    told: str


def read_links(root: Path) -> Links:
    """Return the releases that the links name."""

    def target(link: Path) -> str:
        return link.readlink().name if link.is_symlink() else ""

    return Links(target(root / "current"), target(root / "previous"))


def check_whole(root: Path, release: str) -> None:
    """Raise ReleaseError unless the release is there and complete."""
    if not RELEASE_ID.fullmatch(release):
        raise ReleaseError(f"{release!r} is no release id (12 hexadecimal digits).")
    folder = root / "releases" / release
    if not folder.is_dir():
        present = ", ".join(whole_releases(root)) or "none"
        raise ReleaseError(f"There is no release {release} on this host; whole ones: {present}.")
    if not (folder / COMPLETE).is_file():
        raise ReleaseError(f"Release {release} is incomplete: {folder / COMPLETE} is missing.")


def whole_releases(root: Path) -> list[str]:
    """Return the ids of all complete releases, the most recently staged first."""
    markers = [path for path in (root / "releases").glob(f"*/{COMPLETE}") if RELEASE_ID.fullmatch(path.parent.name)]
    return [path.parent.name for path in sorted(markers, key=lambda path: path.stat().st_mtime, reverse=True)]


def proven_releases(root: Path) -> list[str]:
    """Return the ids of all complete releases that have passed their smoke test, the most recently staged first."""
    return [release for release in whole_releases(root) if (root / "releases" / release / PROVEN).is_file()]


def wanted(root: Path, release: str) -> str:
    """Return the release that is asked for, or the previous one where none is.

    Raises:
        ReleaseError: It is not there, or not complete.
    """
    found, whole = release or read_links(root).previous, whole_releases(root)
    if found not in whole:
        trouble = f"Release {found} is missing or incomplete" if found else "There is no previous release"
        raise ReleaseError(f"{trouble} on this host; whole ones: {', '.join(whole) or 'none'}.")
    return found


def retreat(root: Path, begun: Links) -> Retreat:
    """Return where a failed deploy goes back to: the latest release that has proven itself.

    Args:
        root: Folder of the releases.
        begun: The links as they were when the deploy began.
    """
    now, proven = read_links(root), proven_releases(root)
    moved = begun.current not in ("", now.current)
    if not now.current or (now.current in proven and not moved):
        return Retreat(True, "", "", "What was live before was not touched.")
    before = dict.fromkeys((begun.current, begun.previous, now.previous))
    back = [release for release in before if release in proven and release != now.current]
    if not back:
        return Retreat(False, "", "", "There was no release to go back to: the service is stopped.")
    return Retreat(False, back[0], "".join(back[1:2]), f"Release {back[0]} is live again.")


def prove(root: Path, release: str) -> None:
    """Mark a release as one that has passed its smoke test.

    Raises:
        ReleaseError: It is not there, or not complete.
    """
    check_whole(root, release)
    (root / "releases" / release / PROVEN).touch(0o444)
    note(root, release, "proven")


def note(root: Path, release: str, outcome: str) -> None:
    """Append to the host's record what became of a release."""
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = root / HISTORY
    with record.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"time": time, "release": release, "outcome": outcome}) + "\n")
    record.chmod(0o644)


def point(root: Path, name: str, release: str) -> None:
    """Let the link ``name`` name this release, or nothing if it is empty."""
    link = root / name
    if not release:
        link.unlink(missing_ok=True)
    else:
        # One name per link: a leftover of an interrupted run is replaced, not collected.
        fresh = root / f".{name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / release)
        fresh.replace(link)
    durable.sync(root)


def activate(root: Path, release: str, previous: str) -> None:
    """Make a release the live one and remember another as the one to go back to.

    Raises:
        ReleaseError: The release, or the one to remember, is missing or incomplete.
    """
    check_whole(root, release)
    if previous:
        check_whole(root, previous)
    # All of the release first, then the links: a link must never outlive what it names.
    os.sync()
    point(root, "previous", previous)
    point(root, "current", release)


def removable(root: Path, keep: int) -> list[str]:
    """Return what may go: all but the ``keep`` newest complete releases, and never a linked one.

    Incomplete ones are not counted and not returned: a staging may be under way.
    """
    links = read_links(root)
    linked = {links.current, links.previous}
    others = [release for release in whole_releases(root) if release not in linked]
    room = max(0, keep - len(linked - {""}))
    return others[room:]


def environment_of(root: Path, release: str) -> str:
    """Return the id of the environment that a release's language model's server runs in; empty where it has none."""
    manifest = root / "releases" / release / MANIFEST
    named = json.loads(manifest.read_text(encoding="utf-8")).get("llm_environment") if manifest.is_file() else None
    return str(named["id"]) if named else ""


def unused_environments(root: Path, gone: list[str]) -> list[str]:
    """Return the environments that no complete release names but those that are ``gone``."""
    named = {environment_of(root, release) for release in whole_releases(root) if release not in gone}
    return sorted(path.name for path in (root / "environments").glob("*") if path.name not in named)


def remove(folder: Path) -> None:
    """Remove a release or an environment: first the marker, so that half of one never looks whole."""
    (folder / COMPLETE).unlink(missing_ok=True)
    durable.sync(folder)
    shutil.rmtree(folder)
