"""The containers' files as they are, and what the image's module does without an engine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import maie_image
import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from support.processes import Process, wait_for

PROJECT = Path(__file__).parents[2]
FILES = PROJECT / "files/docker"
COMPOSE = yaml.safe_load((FILES / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DEVICE_MB = 7620
"""Memory that an 8 GB board has for the system."""


def default_mb(value: str) -> int:
    """Return the megabytes of e.g. ``${NAME:-320m}``."""
    return int(re.fullmatch(r"\$\{\w+:-(\d+)m\}", value)[1])  # type: ignore[index]


def test_memory_limits_leave_the_system_its_share() -> None:
    role = yaml.safe_load((PROJECT / "roles/maie_docker/defaults/main.yml").read_text())
    limits = {name: default_mb(service["mem_limit"]) for name, service in SERVICES.items()}
    assert {name: limits[name] for name in role["maie_docker_memory_mb"]} == role["maie_docker_memory_mb"]
    # All of them at once, with the language model in a process of its own.
    assert sum(limits.values()) + role["maie_docker_reserve_mb"] <= DEVICE_MB


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "always"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges=true" in service["security_opt"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_the_environment(name: str) -> None:
    assert not re.search("password|key", str(SERVICES[name].get("environment", "")), re.IGNORECASE)


def test_each_container_gets_the_keys_that_it_shows_or_asks_for() -> None:
    def having(key: str) -> set[str]:
        return {name for name, service in SERVICES.items() if key in service.get("secrets", [])}

    assert having("asr_key") == {"worker"}
    assert having("llm_key") == {"worker", "api", "llm"}
    assert COMPOSE["secrets"].keys() >= {"asr_key", "llm_key"}


@pytest.mark.parametrize(("key", "started"), [("k" * 24 + "\n", True), ("", False), ("\n", False)])
def test_the_language_models_server_starts_with_its_key_only(key: str, started: bool, tmp_path: Path) -> None:
    """As Compose starts it, but with a program that only writes down what it was given."""
    (tmp_path / "vllm").write_text(f'#!/bin/sh\nprintf "%s\\n" "$VLLM_API_KEY" "$@" > {tmp_path}/told\n')
    (tmp_path / "vllm").chmod(0o755)
    (tmp_path / "llm_key").write_text(key)
    words = [word.replace("$$", "$").replace("/run/secrets", str(tmp_path)) for word in SERVICES["llm"]["entrypoint"]]
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*words, "a model", "--port=8001"], env=env, capture_output=True, check=False)
    assert (done.returncode == 0) == started
    assert (tmp_path / "told").exists() == started
    if started:
        assert (tmp_path / "told").read_text().splitlines() == [key.strip(), "serve", "a model", "--port=8001"]


def test_only_the_api_can_be_reached() -> None:
    published = {name: service["ports"][0] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api", "dashboard"}
    assert published["dashboard"].startswith("127.0.0.1:")
    assert SERVICES["redis"]["network_mode"] == "none"
    assert SERVICES["worker"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


ADMIN = "admin on nopass +@all"
"""A user beside the service's, because that one may not ask what anybody's rights are."""


def asked(socket: Path, commands: list[str]) -> list[list[str]]:
    """Return the words of what a Redis answers, once it does."""
    environment = {**os.environ, "REDISCLI_AUTH": "none"}

    def answer(command: str) -> str:
        client = ["redis-cli", "-s", str(socket), "--user", "admin", *command.split()]
        return subprocess.run(client, env=environment, text=True, capture_output=True, check=False).stdout

    wait_for(lambda: answer("ping") == "PONG\n", 60, "Redis")
    return [answer(command).split() for command in commands]


def test_redis_is_the_one_that_systemd_runs(tmp_path: Path) -> None:
    """The same rights and the same promises; only the password comes in another way."""
    container, host = tmp_path / "container", tmp_path / "host"
    for folder in (container, host):
        folder.mkdir()
    (container / "redis_password").write_text("secret\n")
    script = (FILES / "redis").read_text().replace("exec redis-server -", f"exec redis-server - --user {ADMIN}")
    script = script.replace("/run/secrets", str(container)).replace("/var/lib/maie-redis", str(container))

    role = Environment(loader=FileSystemLoader(PROJECT / "roles/redis/templates"), undefined=StrictUndefined)
    role.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    values = {"ansible_managed": "by a test", "redis_password": "secret", "__redis_channels": "&* "}
    values |= {"redis_socket": host / "socket", "redis_data_dir": host, "redis_maxmemory_mb": 64}
    users = host / "users.conf"
    users.write_text(role.get_template("redis_users.conf.j2").render(values))
    settings = role.get_template("redis.conf.j2").render(values)
    settings = settings.replace("/run/credentials/maie-redis.service/redis_users.conf", str(users))
    (host / "redis.conf").write_text(settings)

    environment = {**os.environ, "MAIE_REDIS_SOCKET": str(container / "socket"), "MAIE_REDIS_MAXMEMORY_MB": "64"}
    starts = {
        container: ["/bin/sh", "-c", script],
        host: ["redis-server", str(host / "redis.conf"), "--user", *ADMIN.split()],
    }
    names = "save appendonly appendfsync aof-load-truncated maxmemory maxmemory-policy port databases unixsocketperm"
    questions = ["acl getuser default", *(f"config get {name}" for name in names.split())]
    answers = []
    for folder, command in starts.items():
        redis = Process(command, environment, folder / "log")
        try:
            answers.append(asked(folder / "socket", questions))
        finally:
            redis.kill()
    for each in answers:
        each[0].sort()  # commands in no order
    assert "-flushall" in answers[0][0]
    assert ["maxmemory-policy", "noeviction"] in answers[0]
    assert answers[0] == answers[1]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> maie_image.Recipe:
    """What an image is made from, with an engine that has one base."""
    monkeypatch.setattr(maie_image, "docker", lambda *words, **_: "sha256:1" if words[-1] == "base:1" else "")
    for name in ("lock.txt", "dashboard.txt", "uv.txt", "other-2.0-py3-none-any.whl"):
        (tmp_path / name).write_text(name)
    wheel, other = tmp_path / "maie-1.0-py3-none-any.whl", tmp_path / "other-2.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("maie/cli.py", "")
    locks = (tmp_path / name for name in ("lock.txt", "dashboard.txt", "uv.txt"))
    return maie_image.Recipe(FILES, "base:1", "aarch64-cp310", *locks, wheel, "abc", (other,))


def test_another_input_is_another_image(recipe: maie_image.Recipe) -> None:
    dependencies = [
        replace(recipe, base="base:2"),
        replace(recipe, platform="aarch64-cp311"),
        replace(recipe, lock=recipe.wheel),
        replace(recipe, dashboard_lock=recipe.wheel),
        replace(recipe, uv_lock=recipe.wheel),
        replace(recipe, replacements=()),
    ]
    code = replace(recipe, wheel=recipe.replacements[0])
    every = [recipe, code, *dependencies]
    assert len({one.key for one in every}) == len(every)
    assert len({one.environment_key for one in [recipe, *dependencies]}) == len(dependencies) + 1
    assert code.environment_key == recipe.environment_key
    assert replace(recipe, revision="def").key == recipe.key


def test_the_contexts_name_every_wheel_by_its_hash_and_keep_code_apart(
    recipe: maie_image.Recipe, tmp_path: Path
) -> None:
    locked, service, wheels = (tmp_path / name for name in ("locked", "service", "wheels"))
    for folder in (locked, service, wheels):
        folder.mkdir()
    (wheels / "locked-1.0-py3-none-any.whl").write_text("locked")
    with ZipFile(wheels / "uv-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("uv-1.0.data/scripts/uv", "#!/bin/sh\n")
    maie_image.stage_environment(recipe, wheels, locked)
    other = recipe.replacements[0]
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    assert (locked / "replacements.txt").read_text() == f"./wheels/{other.name} --hash=sha256:{digest}\n"
    names = {path.name for path in (locked / "wheels").iterdir()}
    assert names == {"locked-1.0-py3-none-any.whl", "uv-1.0-py3-none-any.whl", other.name}
    assert (locked / "requirements.txt").read_text() == "lock.txt"
    assert os.access(locked / "uv", os.X_OK)
    maie_image.stage_service(recipe, service)
    assert (service / "service/maie/cli.py").is_file()


def test_another_revision_builds_no_environment_and_another_lock_does(
    recipe: maie_image.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, built = {"base:1"}, []

    def engine(*words: str, **_: object) -> str:
        if words[:2] == ("image", "inspect"):
            return "sha256:1" if words[-1] in images else ""
        if words[0] == "build":
            tag = words[words.index("--tag") + 1]
            images.add(tag)
            built.append(tag.partition(":")[0])
        return "amd64"

    monkeypatch.setattr(maie_image, "docker", engine)
    monkeypatch.setattr(maie_image, "pack", lambda tag, _: {"tag": tag})
    monkeypatch.setattr(maie_image, "stage_environment", lambda *_: None)
    monkeypatch.setattr(maie_image, "stage_service", lambda *_: None)
    for one in (recipe, replace(recipe, wheel=recipe.replacements[0]), replace(recipe, lock=recipe.wheel)):
        maie_image.make(one, tmp_path, tmp_path, check_mode=False)
    assert built == ["maie-environment", "maie", "maie", "maie-environment", "maie"]


ANSWERS = """
import json, re, runpy, sys
from rq_dashboard.cli import make_flask_app
from rq_dashboard.web import setup_rq_connection
app = make_flask_app(None, "", "", "")
runpy.run_path(sys.argv[1])["only_show"](app)
app.config["RQ_DASHBOARD_REDIS_URL"] = "unix:///nowhere"
setup_rq_connection(app)
def status(rule, method):
    path = re.sub("<int:[^>]+>", "0", re.sub("<[a-hj-z_][^>]*>", "x", rule.rule))
    return app.test_client().open(path, method=method).status_code
rules = list(app.url_map.iter_rules())
print(json.dumps({f"{method} {rule.rule}": status(rule, method) for rule in rules for method in rule.methods}))
"""


def test_the_dashboard_changes_nothing(tmp_path: Path) -> None:
    """Each path that the rq-dashboard of the lock has, by each of its methods, some of which requeue by GET."""
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv/bin/python"
    lock = PROJECT / "requirements/dashboard.txt"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, "-r", lock], check=True)
    command = [python, "-c", ANSWERS, FILES / "dashboard"]
    told = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    answers: dict[str, int] = json.loads(told.splitlines()[-1])
    allowed = {request for request, status in answers.items() if status != 403}
    views = re.compile(r"(GET|HEAD) /(static|favicon|$|<int:instance_number>/(view|data|$))")
    allowed = {request for request, status in answers.items() if status != 403}
    assert allowed == set(filter(views.match, answers))
    assert "GET /requeue/<queue_name>" in answers
