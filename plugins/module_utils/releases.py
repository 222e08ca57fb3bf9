"""Releases on a host: which is live, how the link is switched, which may be removed.

``<root>/releases/<id>/`` holds each release. It is complete once it has ``.complete``, and proven, so that a failed
deployment may return to it, once it has passed its smoke test and has ``.proven``. ``<root>/current`` and
``<root>/previous`` are relative links to two of them. A link is replaced by renaming a new one over it, and its folder
is synced, so that after a power cut it points at the old release or at the new one, never at nothing.

``<root>/environments/<id>/`` holds the environments in which a release and its language model server run. Releases
share them: each names its own in its ``manifest.json``, and is not made live unless all of them are intact.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils import durable, environments  # type: ignore[attr-defined]

COMPLETE = ".complete"
PROVEN = ".proven"
MANIFEST = "manifest.json"
RELEASE_ID = re.compile(r"[0-9a-f]{12}")
HISTORY = "history.jsonl"


class ReleaseError(Exception):
    """A release can't be used; the text says which and why."""


@dataclass(frozen=True)
class Links:
    """The targets of the two links; empty where a link is missing."""

    current: str
    previous: str


@dataclass(frozen=True)
class Retreat:
    """What to do with a host on which a deployment failed.

    Attributes:
        stays: The live release stays: none was activated, or the live one is proven.
        release: The release to make live again; empty where the host stays, or has none to go back to.
        previous: The release for the link ``previous``, if any.
        told: The outcome, as a sentence.
    """

    stays: bool
    release: str
    previous: str
    told: str


def read_links(root: Path) -> Links:
    """Return the releases to which the links point."""

    def target(link: Path) -> str:
        return link.readlink().name if link.is_symlink() else ""

    return Links(target(root / "current"), target(root / "previous"))


def check_whole(root: Path, release: str) -> None:
    """Raise ReleaseError unless the release exists and is complete."""
    if not RELEASE_ID.fullmatch(release):
        raise ReleaseError(f"{release!r} is not a release id (12 hexadecimal digits).")
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
    """Return the requested release, or the previous one by default.

    Raises:
        ReleaseError: It is missing or incomplete, or one of its environments is not intact.
    """
    found, whole = release or read_links(root).previous, whole_releases(root)
    if found not in whole:
        trouble = f"Release {found} is missing or incomplete" if found else "There is no previous release"
        raise ReleaseError(f"{trouble} on this host; whole ones: {', '.join(whole) or 'none'}.")
    check_environments(root, found)
    return found


def retreat(root: Path, begun: Links) -> Retreat:
    """Return the release to restore after a failed deployment: the latest proven one that is intact.

    Where none is, the one that was live: it served until the deployment, and a stopped service serves nobody.

    Args:
        root: Folder of the releases.
        begun: The links at the start of the deployment.
    """
    now, proven = read_links(root), proven_releases(root)
    moved = begun.current not in ("", now.current)
    if not now.current or (now.current in proven and not moved):
        return Retreat(True, "", "", "What was live before was not touched.")
    before = dict.fromkeys((begun.current, begun.previous, now.previous))
    back = {release: fault(root, release) for release in before if release in proven and release != now.current}
    if not back:
        return Retreat(False, "", "", "There was no release to go back to: the service is stopped.")
    intact = [release for release, told in back.items() if not told]
    if not intact:
        release, told = next(iter(back.items()))
        return Retreat(False, release, "", f"Release {release} is live again, but not intact, {told}: deploy it anew.")
    return Retreat(False, intact[0], "".join(intact[1:2]), f"Release {intact[0]} is live again.")


def prove(root: Path, release: str) -> None:
    """Mark a release as proven, because it has passed its smoke test.

    Raises:
        ReleaseError: It is missing or incomplete.
    """
    check_whole(root, release)
    folder = root / "releases" / release
    (folder / PROVEN).touch(0o444)
    durable.sync(folder / PROVEN)
    durable.sync(folder)
    note(root, release, "proven")


def note(root: Path, release: str, outcome: str) -> None:
    """Append a release's outcome to the host's history."""
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = root / HISTORY
    with record.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"time": time, "release": release, "outcome": outcome}) + "\n")
    record.chmod(0o644)


def point(root: Path, name: str, release: str) -> None:
    """Point the link ``name`` at this release, or remove it if that is empty."""
    link = root / name
    if not release:
        link.unlink(missing_ok=True)
    else:
        # One name per link: a leftover of an interrupted run is replaced and does not pile up.
        fresh = root / f".{name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / release)
        fresh.replace(link)
    durable.sync(root)


def activate(root: Path, release: str, previous: str, only_intact: bool = True) -> None:
    """Make a release live, and another one the previous release, to roll back to.

    Raises:
        ReleaseError: One of them is missing or incomplete; or, if ``only_intact``, an environment of the release is not
            intact.
    """
    check_whole(root, release)
    if only_intact:
        check_environments(root, release)
    if previous:
        check_whole(root, previous)
    # The whole release first, then the links: a link must never point at something that a power cut can lose.
    os.sync()
    point(root, "previous", previous)
    point(root, "current", release)


def removable(root: Path, keep: int) -> list[str]:
    """Return the releases to remove: all but the ``keep`` newest complete ones, and never a linked one.

    Incomplete ones are what interrupted runs left: whoever prunes has staged its own release before.
    """
    links, whole = read_links(root), whole_releases(root)
    linked = {links.current, links.previous}
    others = [release for release in whole if release not in linked]
    room = max(0, keep - len(linked - {""}))
    present = sorted(path.name for path in (root / "releases").glob("*") if RELEASE_ID.fullmatch(path.name))
    return others[room:] + [release for release in present if release not in linked.union(whole)]


def environments_of(root: Path, release: str) -> list[str]:
    """Return the ids of the environments that a release names; one of before they were shared has its own.

    Raises:
        ReleaseError: Its manifest is damaged.
    """
    path = root / "releases" / release / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        named = [manifest.get("environment"), (manifest.get("llm_environment") or {}).get("id")]
    except (ValueError, AttributeError, OSError):
        raise ReleaseError(f"{path} is damaged: remove the folder of this release, and deploy it anew.") from None
    return [str(name) for name in named if name]


def fault(root: Path, release: str) -> str:
    """Return what is wrong with the manifest or the environments of a release; empty if they are intact."""
    try:
        named = environments_of(root, release)
    except ReleaseError:
        return f"{MANIFEST} is damaged"
    faults = {name: environments.fault(root / "environments" / name) for name in named}
    return ", ".join(f"environment {name}: {told}" for name, told in faults.items() if told)


def check_environments(root: Path, release: str) -> None:
    """Raise ReleaseError unless the manifest and all environments of a release are intact."""
    environments_of(root, release)
    if told := fault(root, release):
        raise ReleaseError(f"Release {release} can't be used, {told}. A deployment of it makes its environments again.")


def unused_environments(root: Path, gone: list[str]) -> list[str]:
    """Return the folders that no release names but those that are ``gone``, and what interrupted runs left.

    None where a release that stays has a damaged manifest: what it needs is unknown.
    """
    staying = [path.name for path in (root / "releases").glob("*") if path.name not in gone]
    try:
        named = {name for release in staying for name in environments_of(root, release)}
    except ReleaseError:
        return []
    return sorted(path.name for path in (root / "environments").glob("*") if path.is_dir() and path.name not in named)
