"""Ansible module: build the service's image and its archive on the control node, once per content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ansible.module_utils.basic import AnsibleModule
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
    description: The lock of that platform.
    type: path
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
  wheels:
    description: Folder with the locks' wheels. Without it they are downloaded.
    type: path
  cache:
    description: Folder of contexts and archives.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Build the image
  maie_image:
    files: files/docker
    base: debian:bookworm-slim
    platform: x86_64-cp311
    lock: requirements/x86_64-cp311.txt
    dashboard_lock: requirements/dashboard.txt
    uv_lock: requirements/bootstrap.txt
    wheel: .cache/wheels/0123456789ab/maie-0.1.0-py3-none-any.whl
    cache: .cache/images
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: >-
    The archive's manifest, C(tag), C(id) as the engine names it, C(archive), C(sha256), C(bytes) unpacked, and
    C(archive_bytes). In check mode only C(tag) and C(archive) for an image that is not built yet.
  returned: always
  type: dict
"""

ENVIRONMENT = "Dockerfile.environment"
SERVICE = ("Dockerfile.jetson", "dashboard", "healthcheck", "maie", "redis")
PATHS = ("files", "lock", "dashboard_lock", "uv_lock", "wheel", "cache")
OLDEST_GLIBC, NEWEST_GLIBC = 17, 35
"""For manylinux_2_*: for another platform pip takes its tags literally. JetPack 6 has glibc 2.35."""


class ImageError(Exception):
    """The image can't be made; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """What an image is made from."""

    files: Path
    base: str
    platform: str
    lock: Path
    dashboard_lock: Path
    uv_lock: Path
    wheel: Path
    revision: str
    replacements: tuple[Path, ...]

    @property
    def locks(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.lock, self.dashboard_lock, self.uv_lock)

    @property
    def environment_key(self) -> str:
        """12 hexadecimal digits of a hash of the environment image's inputs: the locks and no code.

        The base counts by its content, once the engine has it.
        """
        base = docker("image", "inspect", "--format", "{{.Id}}", self.base, fails=True)
        return self._hash(base, self.platform, self.files / ENVIRONMENT, *self.locks, *self.replacements)

    @property
    def key(self) -> str:
        """12 hexadecimal digits of a hash of all inputs."""
        return self._hash(self.environment_key, *(self.files / name for name in SERVICE), self.wheel)

    @staticmethod
    def _hash(*parts: str | Path) -> str:
        lines = [f"{part.name} {sha256(part)}" if isinstance(part, Path) else part for part in parts]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


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


def download(recipe: Recipe, folder: Path) -> Path:
    """Download the locks' wheels, verified by their hashes, into a folder for these locks; return that folder."""
    architecture, python = recipe.platform.split("-cp")
    tags = [f"manylinux_2_{minor}" for minor in range(OLDEST_GLIBC, NEWEST_GLIBC + 1)] + ["manylinux2014", "linux"]
    wheels = folder / hashlib.sha256("".join([recipe.platform, *map(sha256, recipe.locks)]).encode()).hexdigest()[:12]
    for lock in recipe.locks:
        run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--implementation", "cp", "--python-version", python),
            *(f"--platform={tag}_{architecture}" for tag in tags),
            *("--dest", str(wheels), "--requirement", str(lock)),
        )
    return wheels


def stage_environment(recipe: Recipe, wheels: Path, context: Path) -> None:
    """Stage the context of the environment's image. Its requirements name every wheel by its hash."""
    shutil.copy2(recipe.files / ENVIRONMENT, context / ENVIRONMENT)
    shutil.copyfile(recipe.lock, context / "requirements.txt")
    shutil.copyfile(recipe.dashboard_lock, context / "dashboard.txt")
    shutil.copytree(wheels, context / "wheels", copy_function=os.link)
    lines = []
    for path in recipe.replacements:
        shutil.copyfile(path, context / "wheels" / path.name)
        lines.append(f"./wheels/{path.name} --hash=sha256:{sha256(path)}\n")
    (context / "replacements.txt").write_text("".join(lines))
    uv = next(wheels.glob("uv-*.whl"))
    with ZipFile(uv) as archive:
        program = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        (context / "uv").write_bytes(archive.read(program))
    (context / "uv").chmod(0o755)


def stage_service(recipe: Recipe, context: Path) -> None:
    """Stage the context of the service's image: its code, and the programs that start it."""
    for name in SERVICE:
        shutil.copy2(recipe.files / name, context / name)
    with ZipFile(recipe.wheel) as archive:
        archive.extractall(context / "service")


def build(recipe: Recipe, file: str, tag: str, context: Path, **arguments: str) -> None:
    """Build an image for the recipe's platform with Docker."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[recipe.platform.split("-cp", maxsplit=1)[0]]
    foreign = docker("version", "--format", "{{.Server.Arch}}") != architecture
    docker(
        *("build", "--quiet", "--tag", tag, "--file", str(context / file)),
        *(["--platform", f"linux/{architecture}"] if foreign else []),
        *(word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")),
        str(context),
    )


def pack(tag: str, folder: Path) -> dict[str, Any]:
    """Save the image into a folder, with a manifest; return the manifest."""
    archive = folder / "image.tar.gz"
    with archive.open("wb") as out, subprocess.Popen(["docker", "image", "save", tag], stdout=subprocess.PIPE) as saved:
        packed = subprocess.run(["gzip", "-1", "--no-name"], stdin=saved.stdout, stdout=out, check=False)
    if saved.returncode or packed.returncode:
        raise ImageError(f"{tag} can't be saved: docker ended with {saved.returncode}, gzip with {packed.returncode}.")
    manifest = {
        "tag": tag,
        "id": docker("image", "inspect", "--format", "{{.Id}}", tag),
        "sha256": sha256(archive),
        "bytes": int(docker("image", "inspect", "--format", "{{.Size}}", tag)),
        "archive_bytes": archive.stat().st_size,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def make(recipe: Recipe, wheels: Path | None, cache: Path, check_mode: bool) -> dict[str, Any]:
    """Return the module's result; build what is missing unless in check mode."""
    if not check_mode and not docker("image", "inspect", "--format", "{{.Id}}", recipe.base, fails=True):
        docker("pull", "--quiet", recipe.base)
    key = recipe.key
    tag, made = f"maie:{key}", cache / key
    archive = {"archive": str(made / "image.tar.gz")}
    if (made / "manifest.json").is_file():
        return {"changed": False, "image": {**json.loads((made / "manifest.json").read_text()), **archive}}
    if check_mode:
        return {"changed": True, "image": {"tag": tag, **archive}}
    environment = f"maie-environment:{recipe.environment_key}"
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        locked, service, packed = (Path(folder, name) for name in ("locked", "service", "packed"))
        for path in (locked, service, packed):
            path.mkdir()
        if not docker("image", "inspect", "--format", "{{.Id}}", environment, fails=True):
            stage_environment(recipe, wheels or download(recipe, cache / "wheels"), locked)
            build(recipe, ENVIRONMENT, environment, locked, BASE=recipe.base)
        stage_service(recipe, service)
        about = {"BASE": recipe.base, "REVISION": recipe.revision, "VERSION": recipe.wheel.name.split("-")[1]}
        build(recipe, SERVICE[0], tag, service, ENVIRONMENT=environment, **about)
        manifest = pack(tag, packed)
        packed.rename(made)
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
            "lock": {"type": "path", "required": True},
            "dashboard_lock": {"type": "path", "required": True},
            "uv_lock": {"type": "path", "required": True},
            "wheel": {"type": "path", "required": True},
            "revision": {"type": "str", "default": ""},
            "replacements": {"type": "list", "elements": "path", "default": []},
            "wheels": {"type": "path"},
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
    cache, wheels = given["cache"], Path(given["wheels"]) if given["wheels"] else None
    cache.mkdir(parents=True, exist_ok=True)
    # Hosts of one batch ask at the same time: the first builds, the others find its image.
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            module.exit_json(**make(recipe, wheels, cache, module.check_mode))
        except (ImageError, OSError) as error:
            module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
