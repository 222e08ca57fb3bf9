"""What a program can check is checked before it replaces what the program runs with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_plays import PROJECT, Told, play

SERVICE = "[Service]\nExecStart=/usr/bin/true\n"
FRESH = "dir /a/folder/that/is/not/there/yet\n"
FILES = {
    "redis": ("redis/tasks/main.yml", "redis.conf.j2", "redis.conf", f"{FRESH}port 0\n", f"{FRESH}port none\n"),
    "redis-unit": ("redis/tasks/main.yml", "maie-redis.service.j2", "maie-redis.service", SERVICE, "[Service]\n"),
    "units": (
        "maie/tasks/stage.yml",
        "__maie_unit_files",
        "maie-api.service",
        "[Service]\nExecStart=/opt/no\n",
        "[Sevice\n",
    ),
    "target": (
        "maie/tasks/stage.yml",
        "__maie_unit_files",
        "maie.target",
        "[Unit]\nWants=a.service\n",
        "[Unit]\nWant=a\n",
    ),
    "clocks": (
        "jetson_tune/tasks/clocks.yml",
        "clocks.service.j2",
        "clocks.service",
        SERVICE,
        f"{SERVICE}Typ=oneshot\n",
    ),
    "jtop": ("jetson_tune/tasks/jtop.yml", "jtop.service.j2", "jtop.service", SERVICE, f"{SERVICE}Type=often\n"),
    "apt": ("jetson_tune/tasks/bsp.yml", "apt.conf.j2", "95maie-bsp", 'A::B "c";\n', 'A::B "c\n'),
    "script": ("maie/tasks/stage.yml", "__maie_script_files", "llm-server", "exec true\n", "if true\n"),
    "command": ("maie/tasks/prepare.yml", "maie.sh.j2", "maie", "exec true\n", "exec (\n"),
}
"""By case: where the task is, where the content comes from, the file's name, a good content and a broken one."""


def check_of(tasks: str, source: str) -> str:
    """Return the check of the file whose content comes from a template, or a variable that holds several."""
    found = [task for task in yaml.safe_load((PROJECT / "roles" / tasks).read_text()) if "small_files" in task]
    for task in found:
        files = task["small_files"].get("files", [])
        if isinstance(files, str) and (call := re.search(rf"{source} \| files_in\(.*validate=('[^']+'|\w+)\)", files)):
            return str(task["vars"][call[1]]) if call[1] in task.get("vars", {}) else call[1].strip("'")
        for file in files if isinstance(files, list) else []:
            if source in file["content"]:
                return str(file["validate"])
    raise AssertionError(f"{tasks} writes nothing from {source}")


@pytest.fixture(scope="module")
def put(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Told]]:
    """Each file, good and broken, put in the place of another one with its role's check."""
    folder = tmp_path_factory.mktemp("put")
    hosts: dict[str, dict[str, Any]] = {}
    for name, (tasks, source, file, *contents) in FILES.items():
        for kind, content in zip(("good", "broken"), contents, strict=True):
            place = folder / f"{name}-{kind}"
            place.mkdir()
            (place / file).write_text("what runs")
            hosts[place.name] = {"content": content, "dest": str(place / file), "check": check_of(tasks, source)}
    file = {"path": "{{ dest }}", "content": "{{ content }}", "owner": "", "group": "", "validate": "{{ check }}"}
    return folder, play(folder, [{"small_files": {"files": [file]}}], hosts)


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_not_put_in_place(put: tuple[Path, dict[str, Told]], name: str) -> None:
    folder, told = put
    file, good = FILES[name][2:4]
    assert not told[f"{name}-good"].failed, told[f"{name}-good"].said
    assert (folder / f"{name}-good" / file).read_text() == good
    assert told[f"{name}-broken"].failed
    assert (folder / f"{name}-broken" / file).read_text() == "what runs"
