"""A whole service for tests: a real Redis, real API and worker processes, real files, in one temporary folder."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import redis
from maie.settings import Settings

from support.audiofiles import LLM, MODEL
from support.processes import Process, Unit, free_port, wait_for

KEY = "test-key-" + "k" * 32
REDIS_PASSWORD = "redis-password"
WITH_LLM = {"llm_backend": "ctranslate2", "llm_model": LLM, "llm_threads": 1}
"""Settings of a service that has the embedded language model too."""
MIB = 1024**2
Speech = Callable[[float], bytes]
Figure = Callable[[str], None]


def engines(stack: Stack) -> int:
    """How many engine processes of a stack live, whoever started them."""
    mine = f"MAIE_DATA_DIR={stack.data}".encode()
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            holds = mine in (folder / "environ").read_bytes().split(b"\0")
            count += holds and b"multiprocessing.spawn" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return count


class Stack:
    """The service in ``folder``. Settings are given without their prefix: ``queue_capacity=5``.

    With ``certified`` it listens on all addresses, over TLS.

    Attributes:
        before: What stands before the command of each process, such as a tracer.
    """

    def __init__(self, folder: Path, certified: bool = False, **settings: Any) -> None:
        self.folder = folder
        self.credentials = folder / "credentials"
        self.data = folder / "data"
        self.redis_socket = folder / "redis.sock"
        self.port = free_port()
        self.url = f"{'https' if certified else 'http'}://127.0.0.1:{self.port}"
        self.certificate = self.credentials / "tls_cert.pem"
        self.units: list[Unit] = []
        self.before: list[str] = []
        for path in (self.credentials, self.data, folder / "redis"):
            path.mkdir()
        (self.credentials / "redis_password").write_text(REDIS_PASSWORD + "\n")
        (self.credentials / "api_keys").write_text(f"tests:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
        if certified:
            self.certify()
        # Made once: it takes longer than an upload.
        self.trust = ssl.create_default_context(cafile=self.certificate if certified else None)
        self._chosen = {
            "host": "0.0.0.0" if certified else "127.0.0.1",
            "profile": "embedded",
            "release": "test",
            "credentials_dir": self.credentials,
            "data_dir": self.data,
            "redis_socket": self.redis_socket,
            "port": self.port,
            "asr_model": MODEL,
            "asr_threads": 1,
            "min_free_bytes": 0,
            **settings,
        }
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONUNBUFFERED": "1",
            **{f"MAIE_{name.upper()}": str(value) for name, value in self._chosen.items()},
        }
        self.redis_unit = self.start_redis()

    def certify(self) -> None:
        """Make a certificate for this machine."""
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(self.credentials / "tls_key.pem"), "-out", str(self.certificate)]
        command += ["-subj", "/CN=maie", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(command, check=True, capture_output=True)

    def settings(self, **others: Any) -> Settings:
        """Return the settings that its processes have, but for others that are given."""
        return Settings(**{**self._chosen, **others})

    def start_redis(self) -> Process:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.redis_socket), "--dir"]
        command += [str(self.folder / "redis"), "--requirepass", REDIS_PASSWORD, "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        process = Process(command, {"PATH": os.environ["PATH"]}, self.folder / "redis.log")
        wait_for(self._redis_answers, 60, "Redis")
        return process

    def _redis_answers(self) -> bool:
        try:
            return bool(self.redis().ping())
        except redis.RedisError:
            return False

    def redis(self) -> Any:
        return redis.Redis(unix_socket_path=str(self.redis_socket), password=REDIS_PASSWORD, decode_responses=True)

    def restart_redis(self, down_seconds: float = 0.0) -> None:
        self.redis_unit.kill()
        time.sleep(down_seconds)
        self.redis_unit = self.start_redis()

    def maie(self, command: str, **settings: Any) -> Process:
        env = {**self.env, **{f"MAIE_{name.upper()}": str(value) for name, value in settings.items()}}
        program = str(Path(sys.executable).parent / "maie")
        return Process([*self.before, program, command], env, self.folder / f"{command}.log")

    def start(self, *commands: str) -> None:
        """Start ``api`` and ``worker`` units, and wait until they serve."""
        for command in commands:
            self.units.append(Unit(lambda command=command: self.maie(command)))
        if "api" in commands:
            wait_for(self.healthy, 60, "the API")
        if "worker" in commands:
            wait_for(lambda: self.redis().keys("maie:worker:*"), 60, "the worker")

    def unit(self, command: str) -> Unit:
        return self.units[["api", "worker"].index(command)]

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, verify=self.trust).status_code == 200
        except httpx.HTTPError:
            return False

    def client(self, key: str = KEY, **options: Any) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={"X-API-Key": key}, **{"timeout": 60, "verify": self.trust, **options}
        )

    def post(self, audio: bytes, name: str = "audio.wav", **fields: Any) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/process", files={"file": (name, audio)}, data=fields)

    def post_text(self, text: str, **fields: Any) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/process_text", json={"text": text, **fields})

    def accept(self, audio: bytes, **fields: Any) -> str:
        """Post audio, trying again while the service is not there; return the task's id."""
        return self._accept(lambda: self.post(audio, **fields))

    def accept_text(self, text: str, **fields: Any) -> str:
        """The same with text."""
        return self._accept(lambda: self.post_text(text, **fields))

    def _accept(self, post: Callable[[], httpx.Response]) -> str:
        def taken() -> str | None:
            answer = post()
            assert answer.status_code in (202, 503), answer.text
            return answer.json().get("task_id")

        return str(wait_for(taken, 60, "acceptance", 0.2))

    def status(self, task_id: str) -> dict[str, Any]:
        with self.client() as client:
            answer = client.get(f"/v1/status/{task_id}")
        answer.raise_for_status()
        return dict(answer.json())

    def wait_final(self, task_id: str, seconds: float = 120) -> dict[str, Any]:
        def final() -> dict[str, Any] | None:
            state = self.status(task_id)
            return state if state["status"] in ("COMPLETE", "FAILED", "CANCELLED") else None

        return dict(wait_for(final, seconds, f"end of task {task_id}", 0.1))

    def uploads(self) -> list[Path]:
        folder = self.data / "uploads"
        return sorted(folder.iterdir()) if folder.exists() else []

    def log(self, command: str) -> list[dict[str, Any]]:
        """The lines that a process has logged; one that a kill has cut short is left out."""
        lines = (self.folder / f"{command}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def stop(self) -> None:
        for unit in self.units:
            unit.stop()
        self.redis_unit.kill()


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "code"}
    assert (body["status"], body["code"], body["instance"]) == (status, code, answer.request.url.path)
    assert body["type"] == f"urn:maie:error:{code}"
    assert "Traceback" not in answer.text
    assert "/" not in body["detail"].replace("multipart/form-data", "")
    return dict(body)
