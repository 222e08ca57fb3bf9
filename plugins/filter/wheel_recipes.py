"""Filters of the inputs of wheels and releases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.hashing import secure_hash


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    return str(secure_hash(str(path), hashlib.sha256))


def content_digest(path: str) -> str:
    """Return the SHA-256 of a file, or of a folder's files by name and content.

    Raises:
        AnsibleFilterError: The path does not exist.
    """
    root = Path(path)
    if root.is_file():
        return sha256(root)
    if not root.is_dir():
        raise AnsibleFilterError(f"{path} does not exist on the control node.")
    total = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.is_file():
            total.update(f"{sha256(file)}  {file.relative_to(root)}\n".encode())
    return total.hexdigest()


def wheel_inputs(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a recipe that determine the wheel: its files by digest, not by path."""
    source = dict(recipe["source"])
    if source.get("folder"):
        source["folder"] = content_digest(source["folder"])
    files = {name: content_digest(path) for name, path in recipe["proof"]["files"].items()}
    proof = {**recipe["proof"], "files": files}
    patches = [content_digest(path) for path in recipe["patches"]]
    install = dict(recipe["install"])
    if install.get("script"):
        install["script"] = content_digest(install["script"])
    inputs = {**recipe, "source": source, "patches": patches, "proof": proof, "install": install}
    return {name: value for name, value in inputs.items() if name != "memory_per_job_mb"}


def wheel_fingerprint(recipe: dict[str, Any], builder: dict[str, Any]) -> str:
    """Return the SHA-256 of all inputs of a wheel, 64 hexadecimal digits.

    Args:
        recipe: The description of the build; files that it names count by content.
        builder: What the machine adds: architecture, L4T, CUDA, cuDNN, compiler, Python ABI, torch.
    """
    inputs = {"recipe": wheel_inputs(recipe), "builder": builder}
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def wheel_jobs(machine: dict[str, int], memory_per_job_mb: int, swap_mb: int = 0) -> int:
    """Return how many compilers may run at once on a machine; 0 if not even one fits.

    Args:
        machine: ``cores``, and ``available_mb`` of memory.
        memory_per_job_mb: Memory that one compiler may need.
        swap_mb: Swap that may be added.
    """
    return min(machine["cores"], (machine["available_mb"] + swap_mb) // memory_per_job_mb)


def wheel_sources(recipe: dict[str, Any], folder: str) -> list[dict[str, Any]]:
    """Return the sources of a build in a folder, each with the module's arguments.

    ``folder`` is its place in the build, and ``id`` the name under which it is kept: the commit or the SHA-256.
    """
    patches = [f"{folder}/patches/{Path(path).name}" for path in recipe["patches"]]
    own = {**recipe["source"], "folder": "source", "patches": patches}
    others = [{**source, "folder": f"deps/{name}", "patches": []} for name, source in recipe["more_sources"].items()]
    return [{**source, "id": source.get("commit") or source["sha256"]} for source in [own, *others]]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "content_digest": content_digest,
            "wheel_inputs": wheel_inputs,
            "wheel_fingerprint": wheel_fingerprint,
            "wheel_jobs": wheel_jobs,
            "wheel_sources": wheel_sources,
        }
