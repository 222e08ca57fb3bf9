"""Fetches a model's files from a hub: resumes them, and verifies their sizes and SHA-256."""

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
"""Limits on time and bytes of the answer that lists a model's files: large models' lists have some 100 KB."""

WEIGHTS = ("*.bin", "*.safetensors")


def ask(hub: str, repository: str, revision: str, wanted: Sequence[str]) -> Record:
    """Return a hub's list of a model's files.

    Args:
        hub: Its URL.
        repository: ``owner/name``.
        revision: A branch, a tag or a commit.
        wanted: Patterns for the names of the needed files.

    Raises:
        Refused: The hub does not answer in time, or not with such a list, or the list has no weights.
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
        raise Refused(f"{url} did not answer with a list of files: perhaps with a login or a proxy's page.") from error
    files = {name: file for name, file in files.items() if PLAIN_NAME.fullmatch(name)}
    if not any(fnmatch(name, pattern) for name in files for pattern in WEIGHTS):
        raise Refused(f"{repository} at {commit} has no weights among {', '.join(wanted)}.")
    return Record(repository, revision, commit, files)


class TooSlow(Exception):
    """Something took too long. Not an OSError, which a connection would attribute to one unreachable address."""


def _listing(url: str) -> bytes:
    """Return an answer, limited in bytes and in total time, however slowly it arrives."""
    try:
        with _at_most(LIST_SECONDS):
            answer: bytes = open_url(url, timeout=SECONDS).read(LIST_BYTES + 1)
    except (URLError, OSError, TooSlow) as error:
        raise Refused(f"{url} can't be read: {error}") from error
    if len(answer) > LIST_BYTES:
        raise Refused(f"{url} answered with more than {LIST_BYTES} bytes, too many for a list of files.")
    return answer


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TooSlow in a block that takes longer; a limit per read would not stop a byte a second."""

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
    """Download one file, or the rest of it, and return its SHA-256.

    Args:
        url: Its URL.
        target: Where it goes; it appears there complete and verified, or not at all.
        file: Its size and digests.
        attempts: How often a broken connection is retried.
        wait: Called before each new attempt with its number.

    Raises:
        Refused: It did not arrive completely, or is another file; the text says what it looks like.
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
    raise Refused(f"{url} can't be downloaded: {trouble}. Run again to resume.")


def _append(url: str, part: Path, size: int) -> str | None:
    """Append the rest of a partial file from the server; return the total length that the server states."""
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
                break  # another file: its digest will not match, so the rest is not needed
    length: str | None = answer.headers.get("Content-Length")
    return length


def _take(url: str, part: Path, target: Path, file: File, expected: str | None) -> str:
    """Make a complete download the file, if its digest matches."""
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
    """Whether a file is a web page, which no model file is."""
    with path.open("rb") as stream:
        return stream.read(HEAD).lstrip().lower().startswith((b"<!doctype html", b"<html"))
