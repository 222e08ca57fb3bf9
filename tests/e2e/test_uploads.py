"""Uploads that are too large, too slow, too many or broken off."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from maie.api.http.auth_middleware import DRAIN_BYTES
from support.processes import wait_for
from support.stack import KEY, MIB, Figure, Speech, Stack, assert_problem

pytestmark = pytest.mark.usefixtures("leaves_the_service_sound")


def endless(size: int, sent: list[int]) -> Iterator[bytes]:
    """A form whose file has ``size`` bytes, sent in chunks without saying how many will come."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    chunk = bytes(256 * 1024)
    while sent[0] < size:
        sent[0] += len(chunk)
        yield chunk


@pytest.mark.parametrize("which", ["small", "service"])
def test_a_stream_of_2_gb_is_cut_at_the_limit(which: str, request: pytest.FixtureRequest) -> None:
    stack: Stack = request.getfixturevalue(which)
    limit = MIB if which == "small" else 500 * MIB
    sent = [0]
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with stack.client() as client:
        answer = client.post("/v1/process", content=endless(2 * 1024 * MIB, sent), headers=headers)
    assert_problem(answer, 413, "too_large")
    assert limit < sent[0] < limit + DRAIN_BYTES + 40 * MIB
    wait_for(lambda: not stack.uploads(), 60, "removal of the upload")


def test_an_announced_size_beyond_the_limit_is_refused_at_once(small: Stack) -> None:
    with small.client() as client:
        assert_problem(client.post("/v1/process", files={"file": ("a.wav", bytes(8 * MIB))}), 413, "too_large")


def test_a_client_that_sends_everything_before_it_reads_gets_its_answer(small: Stack) -> None:
    body = bytes(8 * MIB)
    head = f"POST /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_curl_sees_the_refusal_and_not_a_reset(small: Stack, tmp_path: Path) -> None:
    big = tmp_path / "big.wav"
    with big.open("wb") as stream:
        stream.truncate(200 * MIB)
    for key, expected in ((KEY, "413"), ("wrong", "401")):
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"X-API-Key: {key}", "-H", "Expect:"]
        command += ["-F", f"file=@{big}", f"{small.url}/v1/process"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == (expected, "")


def test_a_stalled_upload_ends_and_gives_its_place_back(small: Stack) -> None:
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        head = (
            f"POST /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: multipart/form-data; boundary=b"
        )
        connection.sendall(f"{head}\r\nContent-Length: 100000\r\n\r\n--b\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert not small.redis().zcard("maie:reservations")


def test_a_client_that_goes_away_leaves_nothing(service: Stack) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        head = (
            f"POST /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: multipart/form-data; boundary=b"
        )
        part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + "x" * 100_000
        connection.sendall(f"{head}\r\nContent-Length: 10000000\r\n\r\n{part}".encode())
        wait_for(service.uploads, 60, "the upload's folder")
    wait_for(lambda: not service.uploads(), 60, "removal of the upload")
    wait_for(lambda: not service.redis().zcard("maie:reservations"), 60, "the upload's place")
    assert [line["status"] for line in service.log("api") if line.get("route") == "/v1/process"][-1] == 499


def test_200_parallel_uploads(service: Stack, speech: Speech, figure: Figure) -> None:
    audio = speech(2)
    barrier = threading.Barrier(200)
    trust = ssl.create_default_context()  # made once: it takes longer than an upload

    def upload(_: int) -> httpx.Response:
        with service.client(verify=trust) as client:
            barrier.wait(60)
            return client.post("/v1/process", files={"file": ("audio.wav", audio)})

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(upload, range(200)))
    accepted = [answer.json()["task_id"] for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert len(accepted) >= 5
    for answer in refused:
        assert_problem(answer, 429, "queue_full")
        assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert httpx.get(f"{service.url}/health").json() == {"status": "ok"}
    assert all(service.wait_final(task_id)["status"] == "COMPLETE" for task_id in accepted)
    wait_for(lambda: not service.uploads(), 60, "removal of the uploads")
    figure(f"200 uploads at once: {len(accepted)} accepted and complete, {len(refused)} refused with 429")
