"""The containers that Compose runs: their rights, secrets and limits, and what the dashboard shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

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
