"""The API as its own description says it is, and what is asked of it that no description foresees."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.queue_steps import idle_worker
from support.stack import KEY, WITH_LLM, Figure, Stack

FULL = "MAIE_TEST_FULL" in os.environ
LEAST_CASES = 5000 if FULL else 500


@pytest.fixture(scope="module")
def api(make_stack: Callable[..., Stack]) -> Stack:
    """An API with a language model; its worker only seems to live."""
    stack = make_stack(**WITH_LLM, release="r", queue_capacity=1000)
    idle_worker(stack.redis())
    stack.start("api")
    return stack


@pytest.mark.parametrize(
    ("key", "examples"), [(KEY, 360 if FULL else 20), (None, 310 if FULL else 15)], ids=["with the key", "without"]
)
def test_it_is_as_its_description_says(
    api: Stack, key: str | None, examples: int, tmp_path: Path, figure: Figure
) -> None:
    command = ["schemathesis", "run", f"{api.url}/openapi.json", "--max-examples", str(examples), "--no-color"]
    command += ["--continue-on-failure", "--suppress-health-check", "all"]
    # Whether audio, a language or a template can be used is for the deployment to say, and no schema has it.
    command += ["--exclude-checks", "positive_data_acceptance"]
    command += [] if FULL else ["--seed", "1"]
    command += ["--header", f"X-API-Key: {key}"] if key else []
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout
    cases = int(re.findall(r"(\d+) generated", done.stdout)[-1])
    figure(f"{cases} cases {'with' if key else 'without'} the key")
    assert cases >= LEAST_CASES
    assert max(line["status"] for line in api.log("api") if "status" in line) < 500


def test_its_description_tells_what_needs_a_key_and_all_errors_are_problems(api: Stack) -> None:
    with api.client() as client:
        description = client.get("/openapi.json").json()
    (scheme,) = description["components"]["securitySchemes"].items()
    assert scheme == ("ApiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert operation.get("security") == ([{"ApiKey": []}] if path.startswith("/v1") else None)
            errors = {status for status in operation["responses"] if status >= "400"} - {"503"}
            kinds = [list(operation["responses"][status]["content"]) for status in errors]
            assert kinds == [["application/problem+json"]] * len(errors)


def exchange(stack: Stack, said: bytes) -> tuple[int, dict[str, str], bytes]:
    """Say something on a connection of its own; return status, headers and body of the first answer."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        connection.sendall(said)
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            headers = dict(line.decode().lower().strip().split(": ", 1) for line in iter(answer.readline, b"\r\n"))
            return status, headers, answer.read(int(headers["content-length"]))


SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"BREW /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n\r\n", 405),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"PUT /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\nContent-Length: 2\r\n\r\n{}", 405),
        (b"GET /v1/status/%00 HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n\r\n", 404),
        (b"GET /v1/status/%ff%fe%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n\r\n", 404),
        (b"GET /v1/templates/..%2f..%2fetc%2fpasswd/schema HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n\r\n", 404),
        (b"GET /v1/../health HTTP/1.1\r\nHost: x\r\n\r\n", 401),
        (b"GET /%76%31/tasks HTTP/1.1\r\nHost: x\r\n\r\n", 401),
        (b"GET //v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /v1/tasks?limit=%00&offset=9e9 HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n\r\n", 422),
        (b"GET /nothing%zz%2 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xfe\r\n\r\n", 401),
        (b"GET /nothing HTTP/1.1\r\nHost: a b@c:99999/\r\n\r\n", 404),
        (b"GET /nothing HTTP/1.0\r\n\r\n", 404),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /nothing HTTP/2.0\r\nHost: x\r\n\r\n", 404),
        (b"GET /no\x00thing HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 404),
        (b"GET /nothing HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET /" + b"x" * 100_000, 431),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n" + SMUGGLED, 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
    ],
)
def test_an_odd_request_gets_a_problem(api: Stack, said: bytes, status: int) -> None:
    answered, headers, body = exchange(api, said.replace(b"KEY", KEY.encode()))
    assert (answered, headers["content-type"]) == (status, "application/problem+json")
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\nContent-Length: 4", b"Content-Length: 4"])
def test_no_request_is_smuggled_in_another(api: Stack, framing: bytes) -> None:
    head = b"POST /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + framing + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(head + b"0\r\n\r\n" + SMUGGLED)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            answers = answer.read()
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"maie_http_requests" not in answers


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_the_state_can_be_asked_for_without_a_body(api: Stack, path: str) -> None:
    with api.client() as client:
        asked, got = client.head(path), client.get(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
