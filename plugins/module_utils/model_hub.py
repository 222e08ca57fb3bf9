"""Fetches a model's files from a hub: resumed where they were cut off, held to their sizes and SHA-256."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from ansible.module_utils.downloads import HEAD, Refused, cause, read
from ansible.module_utils.model_record import PLAIN_NAME, File, Record
from ansible.module_utils.sums import sha256
from ansible.module_utils.urls import open_url

SECONDS = 60
"""Time without a byte after which a connection counts as lost."""

LIST_SECONDS = 120.0
LIST_BYTES = 8 << 20
"""Most time and bytes of the whole answer that lists a model's files: those of large models have some 100 KB."""

WEIGHTS = ("*.bin", "*.safetensors")


def ask(hub: str, repository: str, revision: str, wanted: Sequence[str]) -> Record:
    """Return what a hub says of a model's files.

    Args:
        hub: Its address.
        repository: ``owner/name``.
        revision: A branch, a tag or a commit.
        wanted: Patterns of the names of the files that are needed.

    Raises:
        Refused: The hub does not answer in time, or not with such a list, or weights are not in it.
    """
    url = f"{hub}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
    answer = _listing(url)
    try:
        told = json.loads(answer)
        commit = str(told["sha"])
        files = {
            str(entry["rfilename"]): File(int(entry["size"]), entry.get("lfs", {}).get("sha256"))
            for entry in told["siblings"]
            if any(fnmatch(entry["rfilename"], pattern) for pattern in wanted)
        }
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise Refused(f"{url} did not answer with a list of files: a login or a proxy may be in the way.") from error
    files = {name: file for name, file in files.items() if PLAIN_NAME.fullmatch(name)}
    if not any(fnmatch(name, pattern) for name in files for pattern in WEIGHTS):
        raise Refused(f"{repository} at {commit} has no weights among {', '.join(wanted)}.")
    return Record(repository, revision, commit, files)


class TooSlow(Exception):
    """Something took too long; no OSError, which a connection would take for one address that does not answer."""


def _listing(url: str) -> bytes:
    """Return an answer that has neither too many bytes nor takes too long, however slowly they come."""
    try:
        with _at_most(LIST_SECONDS):
            answer: bytes = open_url(url, timeout=SECONDS).read(LIST_BYTES + 1)
    except (URLError, OSError, TooSlow) as error:
        raise Refused(f"{url} can't be read: {error}") from error
    if len(answer) > LIST_BYTES:
        raise Refused(f"{url} answered with more than {LIST_BYTES} bytes, which no list of files has.")
    return answer


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TooSlow in what takes longer; a limit on single reads would not end a byte a second."""

    def end(*_: object) -> None:
        raise TooSlow(f"it took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fetch(url: str, target: Path, file: File, attempts: int, wait: Callable[[int], None]) -> str:
    """Download one file, or what is missing of it, and return its SHA-256.

    Args:
        url: Where it is.
        target: Where it goes; it appears there whole and right, or not at all.
        file: What it must be.
        attempts: How often a connection that breaks is tried again.
        wait: Called before each new attempt with its number.

    Raises:
        Refused: It did not come whole, or is another file; the sentence says what it looks like.
    """
    part = target.with_name(f"{target.name}.part")
    trouble = "nothing arrived"
    for attempt in range(attempts):
        if attempt:
            wait(attempt)
        try:
            expected = _append(url, part, file.size)
        except HTTPError as error:
            trouble = str(error)
            if error.code < 500 and error.code not in (408, 429):
                break
            continue
        except (URLError, OSError) as error:
            trouble = str(error)
            continue
        if part.stat().st_size < file.size and not _is_page(part):
            trouble = f"the connection broke after {part.stat().st_size} of {file.size} bytes"
            continue
        return _take(url, part, target, file, expected)
    raise Refused(f"{url} can't be downloaded: {trouble}. Run again: it goes on from there.")


def _append(url: str, part: Path, size: int) -> str | None:
    """Add to a partial file what the server gives from its end on; return the length that the server told."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size and have:
        return None
    answer = open_url(url, timeout=SECONDS, headers={"Range": f"bytes={have}-"} if have else {})
    goes_on = bool(have) and answer.getcode() == 206
    with part.open("ab" if goes_on else "wb") as stream:
        while piece := read(answer):
            stream.write(piece)
            if stream.tell() > size:
                break  # another file: its sum will not be right, and the rest of it is not needed
    length: str | None = answer.headers.get("Content-Length")
    return length


def _take(url: str, part: Path, target: Path, file: File, expected: str | None) -> str:
    """Let a complete download become the file, if it is what it must be."""
    got, size = sha256(part), part.stat().st_size
    unknown = not file.sha256 and not file.git_id
    if size == file.size and (unknown or file.is_at(part)) and not _is_page(part):
        part.replace(target)
        return got
    with part.open("rb") as stream:
        head = stream.read(HEAD)
    part.unlink()
    wanted = file.sha256 or (f"one of the Git id {file.git_id}" if file.git_id else f"one of {file.size} bytes")
    raise Refused(cause(url, wanted, got, size, expected, head))


def _is_page(path: Path) -> bool:
    """Whether a file is a web page: no file of a model is."""
    with path.open("rb") as stream:
        return stream.read(HEAD).lstrip().lower().startswith((b"<!doctype html", b"<html"))
