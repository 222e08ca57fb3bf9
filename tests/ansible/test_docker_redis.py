"""Redis in a container."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from support.processes import Process, wait_for

PROJECT = Path(__file__).parents[2]
FILES = PROJECT / "files/docker"
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
