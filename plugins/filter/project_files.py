"""Filters of the playbooks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

PROJECT = Path(__file__).resolve().parents[2]


def project_path(relative: str) -> str:
    """Return the absolute path of a project file, whichever playbook was started, and from where."""
    return str(PROJECT / relative)


def model_id(folder: str) -> str:
    """Return the name of a model's folder on a host: 12 hexadecimal digits of its ``SHA256SUMS``' digest.

    The checksums identify every file's content, so equal ids mean equal models.

    Raises:
        AnsibleFilterError: The folder has no ``SHA256SUMS``, or it names a missing file.
    """
    sums = Path(folder) / "SHA256SUMS"
    if not sums.is_file():
        raise AnsibleFilterError(f"There is no model in {folder}: SHA256SUMS is missing.")
    for name in model_files(folder):
        if not (Path(folder) / name).is_file():
            raise AnsibleFilterError(f"The model in {folder} is incomplete: {name} is missing.")
    return hashlib.sha256(sums.read_bytes()).hexdigest()[:12]


def model_files(folder: str) -> list[str]:
    """Return the names of a model's files as its ``SHA256SUMS`` lists them.

    Raises:
        AnsibleFilterError: A name leads out of the folder: such a file would be copied anywhere on a host, as root.
    """
    text = (Path(folder) / "SHA256SUMS").read_text(encoding="utf-8")
    names: list[str] = re.findall(r"^[0-9a-f]{64} [ *](.+)$", text, re.MULTILINE)
    for name in names:
        if name != Path(name).name:
            raise AnsibleFilterError(f"The model in {folder} names {name}, which is not a file in its own folder.")
    return names


def model_folder(name: str, folders: list[str]) -> str:
    """Return the folder on the control node that holds a model: the first of ``folders`` that has it, else the last."""
    found = [Path(folder) / name for folder in folders if (Path(folder) / name / "SHA256SUMS").is_file()]
    return str(found[0] if found else Path(folders[-1]) / name)


def model_bytes(catalogue: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return the bytes of each catalogue model; of its weights where its files are not listed."""
    sums = {name: sum(file["size"] for file in entry["files"]) for name, entry in catalogue.items()}
    return {name: sums[name] or entry["figures"]["files_bytes"] for name, entry in catalogue.items()}


def model_path(name: str, on_host: str, folders: list[str]) -> str:
    """Return a model's path on a host: ``<on_host>/<name>/<id>``, or without the id where it is not fetched yet.

    Args:
        name: The model's name.
        on_host: The folder of models on the host.
        folders: The folders of models on the control node.
    """
    folder = model_folder(name, folders)
    path = Path(on_host) / name
    return str(path / model_id(folder) if (Path(folder) / "SHA256SUMS").is_file() else path)


def files_in(contents: dict[str, str], folder: str, **options: str) -> list[dict[str, str]]:
    """Return the files of a folder for the module small_files, by name, all with the same options."""
    return [{"path": f"{folder}/{name}", "content": content, **options} for name, content in contents.items()]


class FilterModule:
    """Tells Ansible the filters."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {
            "project_path": project_path,
            "files_in": files_in,
            "model_id": model_id,
            "model_files": model_files,
            "model_folder": model_folder,
            "model_path": model_path,
            "model_bytes": model_bytes,
        }
