"""What the service's image is made from: its inputs, their keys, and the contexts that Docker builds."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from ansible.module_utils.lock_downloads import download
from ansible.module_utils.sums import sha256

ENVIRONMENT = "Dockerfile.environment"
SERVICE = ("Dockerfile.jetson", "dashboard", "healthcheck", "maie", "redis")


class ImageError(Exception):
    """The image can't be made; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """What an image is made from.

    Attributes:
        base_id: The content of the base, as the engine names it; empty where it was never seen.
    """

    files: Path
    base: str
    platform: str
    lock: str
    dashboard_lock: Path
    uv_lock: Path
    wheel: Path
    revision: str
    replacements: tuple[Path, ...]
    base_id: str = ""

    @property
    def locks(self) -> tuple[str, ...]:
        """The content of all of them."""
        return (self.lock, self.dashboard_lock.read_text(), self.uv_lock.read_text())

    @property
    def architecture(self) -> str:
        """As the engine names it."""
        return {"x86_64": "amd64", "aarch64": "arm64"}[self.platform.split("-cp", maxsplit=1)[0]]

    @property
    def wheels_key(self) -> str:
        """12 hexadecimal digits of a hash of what the locks name for the platform."""
        return self._hash(self.platform, *self.locks)

    @property
    def environment_key(self) -> str:
        """12 hexadecimal digits of a hash of the environment image's inputs: the locks and no code."""
        return self._hash(self.base_id, self.wheels_key, self.files / ENVIRONMENT, *self.replacements)

    @property
    def key(self) -> str:
        """12 hexadecimal digits of a hash of all inputs."""
        return self._hash(self.environment_key, *(self.files / name for name in SERVICE), self.wheel)

    @staticmethod
    def _hash(*parts: str | Path) -> str:
        lines = [f"{part.name} {sha256(part)}" if isinstance(part, Path) else part for part in parts]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def fetch(recipe: Recipe, cache: Path) -> Path:
    """Download the locks' wheels into a folder for these locks; return that folder."""
    wheels = cache / "wheels" / recipe.wheels_key
    wheels.mkdir(parents=True, exist_ok=True)
    for lock in recipe.locks:
        download(lock, recipe.platform, wheels)
    return wheels


def stage_environment(recipe: Recipe, wheels: Path, context: Path) -> None:
    """Stage the context of the environment's image. Its requirements name every wheel by its hash."""
    shutil.copy2(recipe.files / ENVIRONMENT, context / ENVIRONMENT)
    (context / "requirements.txt").write_text(recipe.lock)
    shutil.copyfile(recipe.dashboard_lock, context / "dashboard.txt")
    # No links: a replacement may have the name of one of them.
    shutil.copytree(wheels, context / "wheels")
    lines = []
    for path in recipe.replacements:
        shutil.copyfile(path, context / "wheels" / path.name)
        lines.append(f"./wheels/{path.name} --hash=sha256:{sha256(path)}\n")
    (context / "replacements.txt").write_text("".join(lines))
    uv = next(wheels.glob("uv-*.whl"))
    if f"--hash=sha256:{sha256(uv)}" not in recipe.uv_lock.read_text().split():
        raise ImageError(f"{uv} is not one of the files that {recipe.uv_lock} names.")
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
