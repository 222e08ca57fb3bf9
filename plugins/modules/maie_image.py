"""Ansible module: build the service's image and its archive on the control node, once per content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils import durable  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.image_recipe import (
    ENVIRONMENT,
    SERVICE,
    ImageError,
    Recipe,
    fetch,
    stage_environment,
    stage_service,
)
from ansible.module_utils.lock_downloads import DownloadError
from ansible.module_utils.sums import sha256

DOCUMENTATION = r"""
module: maie_image
short_description: Builds the image of the MAIE service and packs it for hosts without a registry
description:
  - Lets Docker build an image of all that a lock names, and on top of it one of the service, which it saves as an
    archive. The first stays in the engine as C(maie-environment) and is built again only when its lock has changed.
  - Results are stored under 12 hexadecimal digits of a hash of all inputs; an existing image is not built again.
options:
  files:
    description: Folder with C(Dockerfile.jetson) and the files that it copies.
    type: path
    required: true
  base:
    description: The base image.
    type: str
    required: true
  platform:
    description: Architecture and Python of the base, e.g. C(aarch64-cp310).
    type: str
    required: true
  lock:
    description: Content of the lock of that platform, without the packages that are replaced.
    type: str
    required: true
  dashboard_lock:
    description: The lock of the dashboard's own environment.
    type: path
    required: true
  uv_lock:
    description: The lock of uv, which installs what the others name.
    type: path
    required: true
  wheel:
    description: The service's wheel.
    type: path
    required: true
  revision:
    description: The revision of its source, for the image's labels.
    type: str
    default: ""
  replacements:
    description: Wheels that replace what the lock names, e.g. from the wheelhouse.
    type: list
    elements: path
    default: []
  cache:
    description: Folder of the locks' wheels, contexts and archives.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Build the image
  maie_image:
    files: files/docker
    base: debian:bookworm-slim
    platform: x86_64-cp311
    lock: "{{ lookup('ansible.builtin.file', 'requirements/x86_64-cp311.txt', rstrip=false) }}"
    dashboard_lock: requirements/dashboard.txt
    uv_lock: requirements/bootstrap.txt
    wheel: .cache/wheels/0123456789ab/maie-0.1.0-py3-none-any.whl
    cache: .cache/images
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: >-
    The archive's manifest, C(tag), C(id) as the engine names it, C(content), by which any engine knows it again,
    C(archive), C(sha256), C(bytes) unpacked, and C(archive_bytes). In check mode only C(tag) and C(archive) for an
    image that is not built yet; a warning says so where the tag can't be known, because the base was never seen.
  returned: always
  type: dict
"""

PATHS = ("files", "dashboard_lock", "uv_lock", "wheel", "cache")
MANIFEST, ARCHIVE = "manifest.json", "image.tar.gz"
FACTS = {"tag", "id", "content", "sha256", "bytes", "archive_bytes"}
"""What a manifest has."""

CONTENT = "{{.Created}} {{json .RootFS.Layers}}"
"""What identifies an image in every engine; how one names it depends on how it stores images."""


def run(*command: str, fails: bool = False) -> str:
    """Run a command and return its output; empty where it may fail and does.

    Raises:
        ImageError: It failed; the text has the end of its output.
    """
    if not shutil.which(command[0]):
        raise ImageError(f"{command[0]} is missing on the control node.")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode and not fails:
        raise ImageError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout.strip() if done.returncode == 0 else ""


def docker(*arguments: str, fails: bool = False) -> str:
    """Run a Docker command."""
    return run("docker", *arguments, fails=fails)


def known_bases(cache: Path) -> dict[str, str]:
    """Return the content of every base that an image was built on, by platform and name."""
    try:
        bases: dict[str, str] = json.loads((cache / "bases.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return bases


def with_base(recipe: Recipe, cache: Path) -> Recipe:
    """Return the recipe with the content of its base: what the engine has, or else what the last image was built on.

    Where the engine has it for another architecture, that counts as none.
    """
    told = docker("image", "inspect", "--format", "{{.Architecture}} {{.Id}}", recipe.base, fails=True)
    architecture, _, present = told.partition(" ")
    known = known_bases(cache).get(f"{recipe.platform} {recipe.base}", "")
    return replace(recipe, base_id=present if architecture == recipe.architecture else known)


def pull_base(recipe: Recipe, cache: Path) -> Recipe:
    """Pull the base unless the engine has it for the platform; record its content and return the recipe with it."""
    inspect = ("image", "inspect", "--format")
    if docker(*inspect, "{{.Architecture}}", recipe.base, fails=True) != recipe.architecture:
        docker("pull", "--quiet", "--platform", f"linux/{recipe.architecture}", recipe.base)
    recipe = replace(recipe, base_id=docker(*inspect, "{{.Id}}", recipe.base))
    new = cache / "bases.json.new"
    new.write_text(json.dumps({**known_bases(cache), f"{recipe.platform} {recipe.base}": recipe.base_id}, indent=2))
    durable.rename(new, cache / "bases.json")
    return recipe


def build(recipe: Recipe, file: str, tag: str, context: Path, **arguments: str) -> None:
    """Build an image for the recipe's platform with Docker."""
    foreign = docker("version", "--format", "{{.Server.Arch}}") != recipe.architecture
    docker(
        *("build", "--quiet", "--tag", tag, "--file", str(context / file)),
        *(["--platform", f"linux/{recipe.architecture}"] if foreign else []),
        *(word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")),
        str(context),
    )


def pack(tag: str, folder: Path) -> dict[str, Any]:
    """Save the image into a folder, with a manifest; return the manifest."""
    archive = folder / ARCHIVE
    with archive.open("wb") as out, subprocess.Popen(["docker", "image", "save", tag], stdout=subprocess.PIPE) as saved:
        packed = subprocess.run(["gzip", "-1", "--no-name"], stdin=saved.stdout, stdout=out, check=False)
    if saved.returncode or packed.returncode:
        raise ImageError(f"{tag} can't be saved: docker ended with {saved.returncode}, gzip with {packed.returncode}.")
    manifest = {
        "tag": tag,
        "id": docker("image", "inspect", "--format", "{{.Id}}", tag),
        "content": hashlib.sha256(docker("image", "inspect", "--format", CONTENT, tag).encode()).hexdigest(),
        "sha256": sha256(archive),
        "bytes": int(docker("image", "inspect", "--format", "{{.Size}}", tag)),
        "archive_bytes": archive.stat().st_size,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def read_manifest(made: Path) -> dict[str, Any] | None:
    """Return the manifest of an archive; None where either is missing or damaged, as a power cut leaves it."""
    try:
        manifest: dict[str, Any] = json.loads((made / MANIFEST).read_text())
        whole = manifest.keys() == FACTS and (made / ARCHIVE).stat().st_size == manifest["archive_bytes"]
    except (FileNotFoundError, ValueError, AttributeError):
        return None
    return manifest if whole else None


def make(recipe: Recipe, cache: Path, check_mode: bool) -> dict[str, Any]:
    """Return the module's result; build what is missing unless in check mode."""
    recipe = with_base(recipe, cache)
    if not check_mode and read_manifest(cache / recipe.key) is None:
        recipe = pull_base(recipe, cache)
    tag, made = f"maie:{recipe.key}", cache / recipe.key
    archive = {"archive": str(made / ARCHIVE)}
    if manifest := read_manifest(made):
        return {"changed": False, "image": {**manifest, **archive}}
    if check_mode:
        unseen = f"The control node has never had {recipe.base} for {recipe.platform}: the image will have another tag."
        return {"changed": True, "image": {"tag": tag, **archive}, "warnings": [] if recipe.base_id else [unseen]}
    environment = f"maie-environment:{recipe.environment_key}"
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        locked, service, packed = (Path(folder, name) for name in ("locked", "service", "packed"))
        for path in (locked, service, packed):
            path.mkdir()
        if not docker("image", "inspect", "--format", "{{.Id}}", environment, fails=True):
            stage_environment(recipe, fetch(recipe, cache), locked)
            build(recipe, ENVIRONMENT, environment, locked, BASE=recipe.base)
        stage_service(recipe, service)
        about = {"BASE": recipe.base, "REVISION": recipe.revision, "VERSION": recipe.wheel.name.split("-")[1]}
        build(recipe, SERVICE[0], tag, service, ENVIRONMENT=environment, **about)
        manifest = pack(tag, packed)
        shutil.rmtree(made, ignore_errors=True)
        durable.rename(packed, made)
    # Only the archive is needed: neither the service's image nor the environment's first stage stays in this engine.
    docker("image", "rm", tag)
    docker("image", "prune", "--force", "--filter", "label=maie.stage")
    return {"changed": True, "image": {**manifest, **archive}}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "path", "required": True},
            "base": {"type": "str", "required": True},
            "platform": {"type": "str", "required": True},
            "lock": {"type": "str", "required": True},
            "dashboard_lock": {"type": "path", "required": True},
            "uv_lock": {"type": "path", "required": True},
            "wheel": {"type": "path", "required": True},
            "revision": {"type": "str", "default": ""},
            "replacements": {"type": "list", "elements": "path", "default": []},
            "cache": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = {name: Path(value) if name in PATHS else value for name, value in module.params.items()}
    recipe = Recipe(
        given["files"],
        given["base"],
        given["platform"],
        given["lock"],
        given["dashboard_lock"],
        given["uv_lock"],
        given["wheel"],
        given["revision"],
        tuple(Path(path) for path in given["replacements"]),
    )
    cache = given["cache"]
    cache.mkdir(parents=True, exist_ok=True)
    # Hosts of one batch ask at the same time: the first builds, the others find its image.
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            module.exit_json(**make(recipe, cache, module.check_mode))
        except (ImageError, DownloadError, OSError) as error:
            module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
