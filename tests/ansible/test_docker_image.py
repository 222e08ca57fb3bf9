"""The image: what goes into it, when it is built and when it is loaded; without an engine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import maie_image
import pytest
from ansible.module_utils import durable, image_recipe  # type: ignore[attr-defined]
from host_plays import play
from package_index_server import wheel

PROJECT = Path(__file__).parents[2]
FILES = PROJECT / "files/docker"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> image_recipe.Recipe:
    """What an image is made from, with an uv that is no program."""
    for name in ("dashboard.txt", "other-2.0-py3-none-any.whl"):
        (tmp_path / name).write_text(name)
    wheel, other = tmp_path / "maie-1.0-py3-none-any.whl", tmp_path / "other-2.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("maie/cli.py", "")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "locked-1.0-py3-none-any.whl").write_text("locked")
    with ZipFile(wheels / "uv-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("uv-1.0.data/scripts/uv", "#!/bin/sh\n")
    uv_lock = tmp_path / "uv.txt"
    uv_lock.write_text(locked(wheels / "uv-1.0-py3-none-any.whl"))
    dashboard = tmp_path / "dashboard.txt"
    return image_recipe.Recipe(
        FILES, "base:1", "aarch64-cp310", "lock", dashboard, uv_lock, wheel, "abc", (other,), "sha256:1"
    )


def locked(wheel: Path) -> str:
    """Return a lock of one wheel."""
    name, version = wheel.name.split("-")[:2]
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def test_another_input_is_another_image(recipe: image_recipe.Recipe) -> None:
    dependencies = [
        replace(recipe, base_id="sha256:2"),
        replace(recipe, platform="aarch64-cp311"),
        replace(recipe, lock="another lock"),
        replace(recipe, dashboard_lock=recipe.uv_lock),
        replace(recipe, uv_lock=recipe.dashboard_lock),
        replace(recipe, replacements=()),
    ]
    code = replace(recipe, wheel=recipe.replacements[0])
    every = [recipe, code, *dependencies]
    assert len({one.key for one in every}) == len(every)
    assert len({one.environment_key for one in [recipe, *dependencies]}) == len(dependencies) + 1
    assert code.environment_key == recipe.environment_key
    assert replace(recipe, revision="def").key == recipe.key


def test_the_contexts_name_every_wheel_by_its_hash_and_keep_code_apart(
    recipe: image_recipe.Recipe, tmp_path: Path
) -> None:
    folder, service, wheels = (tmp_path / name for name in ("locked", "service", "wheels"))
    for each in (folder, service):
        each.mkdir()
    image_recipe.stage_environment(recipe, wheels, folder)
    other = recipe.replacements[0]
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    assert (folder / "replacements.txt").read_text() == f"./wheels/{other.name} --hash=sha256:{digest}\n"
    names = {path.name for path in (folder / "wheels").iterdir()}
    assert names == {"locked-1.0-py3-none-any.whl", "uv-1.0-py3-none-any.whl", other.name}
    assert (folder / "requirements.txt").read_text() == "lock"
    assert os.access(folder / "uv", os.X_OK)
    image_recipe.stage_service(recipe, service)
    assert (service / "service/maie/cli.py").is_file()


def test_a_replacement_of_the_same_name_leaves_the_downloaded_wheel_alone(
    recipe: image_recipe.Recipe, tmp_path: Path
) -> None:
    built = tmp_path / "locked-1.0-py3-none-any.whl"
    built.write_text("built")
    (tmp_path / "context").mkdir()
    image_recipe.stage_environment(replace(recipe, replacements=(built,)), tmp_path / "wheels", tmp_path / "context")
    assert (tmp_path / "context/wheels" / built.name).read_text() == "built"
    assert (tmp_path / "wheels" / built.name).read_text() == "locked"


def test_another_uv_than_the_locks_is_refused(recipe: image_recipe.Recipe, tmp_path: Path) -> None:
    recipe.uv_lock.write_text(locked(recipe.wheel))
    (tmp_path / "context").mkdir()
    with pytest.raises(image_recipe.ImageError, match="is not one of the files that"):
        image_recipe.stage_environment(recipe, tmp_path / "wheels", tmp_path / "context")
    assert not (tmp_path / "context/uv").exists()


def test_a_built_wheel_of_another_version_takes_the_place_of_the_locks(
    recipe: image_recipe.Recipe, tmp_path: Path
) -> None:
    """The role's lock, the module's context and the Dockerfile's commands, with the real uv."""
    for name in ("requirements", "found", "context"):
        (tmp_path / name).mkdir()

    def made(folder: str, name: str, version: str) -> Path:
        file, content = wheel(name, version, {f"{name}.py": f"made = '{folder}'\n".encode()}, python=">=3")
        (tmp_path / folder / file).write_bytes(content)
        return tmp_path / folder / file

    lock = "".join(locked(made("wheels", *one)) for one in (("demo_it", "1.0"), ("spoken", "2.0")))
    (tmp_path / "requirements/any.txt").write_text(lock.replace("demo_it", "demo-it"))
    recipe.dashboard_lock.write_text(locked(made("wheels", "shown", "1.0")))
    replacement = made("found", "demo_it", "0.9")
    contents = {"locks": str(tmp_path / "requirements"), "wheels": [str(replacement)]}
    variables = {"release_contents": contents, "maie_docker_platform": "any"}
    include = {"ansible.builtin.include_vars": str(PROJECT / "roles/maie_docker/vars/main.yml")}
    show = {"ansible.builtin.copy": {"content": "{{ __maie_docker_locked }}", "dest": str(tmp_path / "lock.txt")}}
    assert not play(tmp_path, [include, show], {"host": variables})["host"].failed
    text = (tmp_path / "lock.txt").read_text()
    context = tmp_path / "context"
    image_recipe.stage_environment(
        replace(recipe, lock=text, replacements=(replacement,)), tmp_path / "wheels", context
    )
    (context / "uv").unlink()
    (context / "uv").symlink_to(Path(sys.executable).with_name("uv"))

    commands = re.search(r"RUN (set -eu;.*?service\.pth)", (FILES / "Dockerfile.environment").read_text(), re.DOTALL)
    assert commands
    script = commands[1].replace("\\\n", "").replace("/usr/bin/python3", sys.executable)
    script = script.replace("/opt/maie", str(tmp_path / "made"))
    done = subprocess.run(["/bin/sh", "-c", script], cwd=context, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = "import demo_it, spoken; print(demo_it.made, spoken.made)"
    python = tmp_path / "made/venv/bin/python"
    told = subprocess.run([python, "-c", said], capture_output=True, text=True, check=True).stdout
    assert told == "found wheels\n"


@dataclass
class Engine:
    """An engine of which only the images are known: by tag, architecture and content."""

    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    registry: str = "sha256:1"
    said: list[str] = field(default_factory=list)

    def __call__(self, *words: str, **_: object) -> str:
        if words[:2] == ("image", "inspect"):
            found = self.images.get(words[-1])
            shown = words[words.index("--format") + 1]
            return shown.replace("{{.Architecture}}", found[0]).replace("{{.Id}}", found[1]) if found else ""
        if words[0] in ("pull", "build"):
            tag = words[-1] if words[0] == "pull" else words[words.index("--tag") + 1]
            architecture = words[words.index("--platform") + 1].partition("/")[2]
            self.images[tag] = (architecture, f"{self.registry}-{architecture}")
            self.said.append(f"{words[0]} {tag.partition(':')[0]}")
        return "riscv64"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An empty engine, and archives of images that are not what they say."""

    def pack(tag: str, folder: Path) -> dict[str, Any]:
        (folder / "image.tar.gz").write_text("image")
        manifest = {**dict.fromkeys(("id", "content", "sha256"), "x"), "tag": tag, "bytes": 9, "archive_bytes": 5}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return manifest

    made = Engine()
    monkeypatch.setattr(maie_image, "docker", made)
    monkeypatch.setattr(maie_image, "pack", pack)
    for name in ("fetch", "stage_environment", "stage_service"):
        monkeypatch.setattr(maie_image, name, lambda *_: None)
    return made


def test_another_revision_builds_no_environment_and_another_lock_does(
    recipe: image_recipe.Recipe, tmp_path: Path, engine: Engine
) -> None:
    for one in (recipe, replace(recipe, wheel=recipe.replacements[0]), replace(recipe, lock="another")):
        maie_image.make(one, tmp_path, check_mode=False)
    built = ["build maie-environment", "build maie", "build maie", "build maie-environment", "build maie"]
    assert engine.said == ["pull base", *built]


def test_a_dry_run_knows_the_image_where_the_engine_has_lost_its_base(
    recipe: image_recipe.Recipe, tmp_path: Path, engine: Engine
) -> None:
    unseen = maie_image.make(recipe, tmp_path, check_mode=True)
    assert (unseen["changed"], engine.said) == (True, [])
    assert "has never had base:1" in unseen["warnings"][0]
    made = maie_image.make(recipe, tmp_path, check_mode=False)
    engine.images.clear()
    engine.registry = "sha256:2"
    engine.said.clear()
    for check_mode in (True, False):
        again = maie_image.make(recipe, tmp_path, check_mode=check_mode)
        assert (again["changed"], again["image"]) == (False, made["image"])
    assert engine.said == []
    code = replace(recipe, wheel=recipe.replacements[0])
    assert maie_image.make(code, tmp_path, check_mode=True)["warnings"] == []
    # What is built on another base is another image, and has another environment.
    assert maie_image.make(code, tmp_path, check_mode=False)["changed"]
    assert engine.said == ["pull base", "build maie-environment", "build maie"]


def test_the_base_of_another_architecture_changes_nothing(
    recipe: image_recipe.Recipe, tmp_path: Path, engine: Engine
) -> None:
    other = replace(recipe, platform="x86_64-cp310")
    first = [maie_image.make(one, tmp_path, check_mode=False)["image"] for one in (recipe, other)]
    assert engine.images["base:1"][0] == "amd64"
    assert [maie_image.make(one, tmp_path, check_mode=True)["image"] for one in (recipe, other)] == first
    assert first[0]["tag"] != first[1]["tag"]


@pytest.mark.parametrize(
    ("name", "left"),
    [("manifest.json", ""), ("manifest.json", "{}"), ("manifest.json", "[]"), ("image.tar.gz", "im")],
)
def test_what_a_power_cut_left_of_an_archive_is_built_again(
    recipe: image_recipe.Recipe, tmp_path: Path, engine: Engine, name: str, left: str
) -> None:
    image = maie_image.make(recipe, tmp_path, check_mode=False)["image"]
    (Path(image["archive"]).parent / name).write_text(left)
    assert maie_image.make(recipe, tmp_path, check_mode=True)["changed"]
    again = maie_image.make(recipe, tmp_path, check_mode=False)
    assert (again["changed"], again["image"]) == (True, image)
    assert not maie_image.make(recipe, tmp_path, check_mode=False)["changed"]


def test_an_archive_is_on_the_disk_before_it_has_its_name(
    recipe: image_recipe.Recipe, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync", lambda path: synced.append(path.name) if path.exists() else None)
    key = Path(maie_image.make(recipe, tmp_path, check_mode=False)["image"]["archive"]).parent.name
    assert set(synced) >= {"manifest.json", "image.tar.gz", "packed", tmp_path.name}
    assert key not in synced


HOST_ENGINE = """#!/bin/sh
case "$*" in
  "image inspect"*) [ -e {folder}/image ] && cat {folder}/image ;;
  "image load"*) echo loaded >> {folder}/calls ;;
esac
"""


def test_a_host_loads_the_image_unless_it_has_that_very_one(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar.gz"
    archive.write_text("image")
    content = '2026-01-01T00:00:00.5Z ["sha256:aa"]'
    built = {"tag": "maie:1", "archive": str(archive), "content": hashlib.sha256(content.encode()).hexdigest()}
    built |= {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    hosts = {}
    for name, has in {"same": content, "other": content.replace("aa", "bb"), "bare": None}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "docker").write_text(HOST_ENGINE.format(folder=folder))
        (folder / "docker").chmod(0o755)
        if has:
            (folder / "image").write_text(f"{has}\n")
        hosts[name] = {"__maie_docker_built": {"image": built}, "release_root": str(folder), "folder": str(folder)}
    share = {"ansible.builtin.include_role": {"name": "maie_docker", "tasks_from": "share"}}
    path = {"PATH": "{{ folder }}:" + os.environ["PATH"]}
    told = play(tmp_path, [{"block": [share], "environment": path}], hosts)
    assert not any(host.failed for host in told.values()), told
    assert {name for name in hosts if (tmp_path / name / "calls").exists()} == {"other", "bare"}
