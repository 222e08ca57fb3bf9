"""What a program can check is checked before it replaces what the program runs with."""

from __future__ import annotations

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
    "units": ("maie/tasks/stage.yml", "systemd/", "maie-api.service", "[Service]\nExecStart=/opt/no\n", "[Sevice\n"),
    "target": ("maie/tasks/stage.yml", "systemd/", "maie.target", "[Unit]\nWants=a.service\n", "[Unit]\nWant=a\n"),
    "clocks": ("jetson_tune/tasks/clocks.yml", "clocks", "clocks.service", SERVICE, f"{SERVICE}Typ=oneshot\n"),
    "jtop": ("jetson_tune/tasks/jtop.yml", "jtop", "jtop.service", SERVICE, f"{SERVICE}Type=often\n"),
    "apt": ("jetson_tune/tasks/bsp.yml", "apt.conf.j2", "95maie-bsp", 'A::B "c";\n', 'A::B "c\n'),
    "script": ("maie/tasks/stage.yml", "{{ __maie_script }}", "llm-server", "exec true\n", "if true\n"),
    "command": ("maie/tasks/prepare.yml", "maie.sh.j2", "maie", "exec true\n", "exec (\n"),
}
"""By case: where the task is, how its source begins, the name of the file, a good content of it and a broken one."""


def check_of(tasks: str, source: str) -> str:
    """Return the check of the task that writes from a template."""
    found = yaml.safe_load((PROJECT / "roles" / tasks).read_text())
    templates = [task["ansible.builtin.template"] for task in found if "ansible.builtin.template" in task]
    (check,) = (task["validate"] for task in templates if task["src"].startswith(source))
    return str(check)


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
    copy = {"content": "{{ content }}", "dest": "{{ dest }}", "mode": "0644", "validate": "{{ check }}"}
    return folder, play(folder, [{"ansible.builtin.copy": copy}], hosts)


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_not_put_in_place(put: tuple[Path, dict[str, Told]], name: str) -> None:
    folder, told = put
    file, good = FILES[name][2:4]
    assert not told[f"{name}-good"].failed, told[f"{name}-good"].said
    assert (folder / f"{name}-good" / file).read_text() == good
    assert told[f"{name}-broken"].failed
    assert (folder / f"{name}-broken" / file).read_text() == "what runs"
