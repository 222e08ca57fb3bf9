"""Makes a language model's files from a public model and the project's adapter, with ``maie_training``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ansible.module_utils.downloads import Refused
from ansible.module_utils.model_record import File
from ansible.module_utils.package_index import SCRATCH
from ansible.module_utils.sums import sha256

FORMS = {"ctranslate2": "--out", "hugging_face": "--hf-out"}
"""What a model can be exported as, and the exporter's option for it."""

PROGRAM = "maie_training.adapter.export"
PACKAGES = ("ctranslate2", "gguf", "numpy", "tokenizers")
"""What the bytes of an export depend on, besides its inputs."""


def require_adapter(path: Path, digest: str) -> None:
    """Check the adapter.

    Raises:
        Refused: It is missing, or another file.
    """
    if not path.is_file():
        raise Refused(f"the adapter {path} is missing")
    if (got := sha256(path)) != digest:
        raise Refused(f"the adapter {path} is not what the catalogue names: its SHA-256 is {got} instead of {digest}")


def export(base: Path, adapter: Path, form: str, wanted: Mapping[str, File], folder: Path) -> None:
    """Provide files of a model in a folder.

    Args:
        base: The public model, a GGUF file.
        adapter: What is added to its weights.
        form: One of :data:`FORMS`.
        wanted: The files, by name.
        folder: Where they go; each appears complete and verified, or not at all.

    Raises:
        Refused: They can't be made, or became other files.
    """
    size, free = sum(file.size for file in wanted.values()), shutil.disk_usage(folder).free
    if free < size:
        raise Refused(f"{folder.parent} has {free / 1e6:.0f} MB free, and the model needs {size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        made = Path(scratch)
        _run(["--gguf", str(base), "--adapter", str(adapter), FORMS[form], str(made)])
        for name, file in wanted.items():
            if not file.is_at(made / name):
                raise Refused(_another(made / name, file))
        for name in wanted:
            (made / name).replace(folder / name)


def _run(arguments: Sequence[str]) -> None:
    """Run the exporter, in a process of its own, whose memory then returns.

    Raises:
        Refused: It failed; the text has the last that it said.
    """
    command = [sys.executable, "-m", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode < 0:
        raise Refused(f"the export was ended by signal {-done.returncode}: perhaps memory ran out")
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise Refused(f"the export failed: {said[-1]}")


def _another(path: Path, file: File) -> str:
    """Return the message for a file that is not the catalogue's, though what it was made of is."""
    got = f"SHA-256 {sha256(path)}" if path.is_file() else "no file"
    used = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"the export made another {path.name}: {got} instead of {file.sha256}, with {used}. Other versions write other "
        "bytes: make the control node's environment anew from its lock (scripts/bootstrap)"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
