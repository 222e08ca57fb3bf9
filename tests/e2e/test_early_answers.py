"""An answer that comes while a large upload still arrives, over TLS, as the clients that people use get it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from maie.tasks.redis_client import connect
from maie.tasks.store import TaskStore
from support.queue_steps import idle_worker
from support.stack import KEY, MIB, Stack

FULL = "MAIE_TEST_FULL" in os.environ
MB = 10**6
SCRIPT = Path(__file__).with_name("early-answers.mjs")
HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def refusing(make_stack: Callable[..., Stack]) -> Stack:
    """A service with one place in its queue that takes 1 MiB at most; its worker only seems to live."""
    stack = make_stack(certified=True, max_upload_bytes=MIB, queue_capacity=1)
    stack.start("api")
    return stack


def by_requests(stack: Stack, size: int, key: str) -> int:
    form = {"file": ("a.wav", bytes(size))}
    answer = requests.post(
        f"{stack.url}/v1/process", files=form, headers={"X-API-Key": key}, verify=str(stack.certificate), timeout=60
    )
    assert answer.json()["status"] == answer.status_code
    return answer.status_code


def by_http_client(stack: Stack, size: int, key: str) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", stack.port, context=stack.trust, timeout=60)
    connection.request("POST", "/v1/process", bytes(size), {**HEADERS, "X-API-Key": key})
    answer = connection.getresponse()
    assert json.load(answer)["status"] == answer.status
    return answer.status


def by_urllib(stack: Stack, size: int, key: str) -> int:
    request = urllib.request.Request(f"{stack.url}/v1/process", bytes(size), {**HEADERS, "X-API-Key": key})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60, context=stack.trust)
    assert json.load(refused.value)["status"] == refused.value.code
    return refused.value.code


def by_node(client: str) -> Callable[[Stack, int, str], int]:
    def send(stack: Stack, size: int, key: str) -> int:
        done = subprocess.run(
            ["node", SCRIPT, client, f"{stack.url}/v1/process", str(size), key],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(stack.certificate)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not done.returncode, done.stderr
        return int(done.stdout)

    return send


CLIENTS = {
    "requests": by_requests,
    "http.client": by_http_client,
    "urllib": by_urllib,
    "node fetch": by_node("fetch"),
    "node http.request": by_node("request"),
}


def prepare(stack: Stack, status: int) -> str:
    """Let the service refuse with this status; return the key to send."""
    stack.redis().flushall()
    if status != 503:
        idle_worker(stack.redis())
    if status == 429:
        settings = stack.settings()
        TaskStore(connect(settings), settings).reserve("the only place")
    return "wrong" if status == 401 else KEY


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", [401, 413, 429, 503])
def test_a_refusal_reaches_the_client(refusing: Stack, status: int, client: str) -> None:
    key = prepare(refusing, status)
    sizes = (10 * MB, 30 * MB, 60 * MB) if FULL else (60 * MB,)
    assert [CLIENTS[client](refusing, size, key) for size in sizes] == [status] * len(sizes)


@pytest.mark.parametrize("status", [401, 413, 429, 503])
def test_who_asks_first_is_refused_before_it_has_sent_anything(refusing: Stack, status: int) -> None:
    key = prepare(refusing, status)
    head = f"POST /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nExpect: 100-continue\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {60 * MB}\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", refusing.port), timeout=2) as plain,
        refusing.trust.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())
