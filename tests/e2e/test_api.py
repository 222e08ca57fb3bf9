"""The API as its clients see it: over HTTP, with a real worker and a real engine behind it."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from audiofiles import encode, reference_text, sample, tone
from stack import KEY, Process, Stack, wait_for

Speech = Callable[[float], bytes]
MIB = 1024**2


@pytest.fixture(autouse=True)
def leaves_the_service_sound(service: Stack) -> Iterator[None]:
    """After every test: healthy, ready, no upload left over."""
    yield
    assert httpx.get(f"{service.url}/health").json() == {"status": "ok"}
    wait_for(lambda: not service.uploads(), 30, "empty uploads folder")
    wait_for(lambda: httpx.get(f"{service.url}/ready").status_code == 200, 10, "readiness")


@pytest.fixture(scope="module")
def small(make_stack: Callable[..., Stack]) -> Stack:
    """A service that takes 1 MiB and a minute of audio at most."""
    stack = make_stack(max_upload_bytes=MIB, max_audio_seconds=60, upload_idle_seconds=1)
    stack.start("worker", "api")
    return stack


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "code"}
    assert (body["status"], body["code"], body["instance"]) == (status, code, answer.request.url.path)
    assert body["type"] == f"urn:maie:error:{code}"
    assert "Traceback" not in answer.text
    assert "/" not in body["detail"].replace("multipart/form-data", "")
    return dict(body)


def test_upload_status_transcript_and_deletion(service: Stack, speech: Speech) -> None:
    with service.client() as client:
        sent = {"features": ["raw_transcript"], "language": "en"}
        answer = client.post("/v1/process", files={"file": ("../../x.wav", speech(10))}, data=sent)
        assert answer.status_code == 202
        task_id = answer.json()["task_id"]
        assert answer.json() == {"task_id": task_id, "status": "PENDING"}
        assert answer.headers["location"] == f"/v1/status/{task_id}"
        state = service.wait_final(task_id)
        assert (state["status"], state["error"], state["features"]) == ("COMPLETE", None, ["raw_transcript"])
        assert state["file"]["filename"] == "x.wav"
        assert state["metrics"]["input_duration_seconds"] == pytest.approx(10, abs=0.1)
        assert 0 < state["metrics"]["rtf"] == pytest.approx(state["metrics"]["processing_time_seconds"] / 10, rel=0.1)
        segments = state["results"]["segments"]
        assert segments
        assert state["results"]["raw_transcript"] == " ".join(s["text"].strip() for s in segments)
        assert all(0 <= s["start"] <= s["end"] <= 10.1 for s in segments)
        assert state["versions"]["asr_model"]["sha256"]
        forms = {form: client.get(f"/v1/tasks/{task_id}/transcript.{form}") for form in ("json", "txt", "srt", "vtt")}
        assert {form: answer.headers["content-type"].split(";")[0] for form, answer in forms.items()} == {
            "json": "application/json",
            "txt": "text/plain",
            "srt": "application/x-subrip",
            "vtt": "text/vtt",
        }
        assert forms["json"].json()["text"] == state["results"]["raw_transcript"]
        assert forms["srt"].text.startswith("1\n00:00:")
        assert forms["vtt"].text.startswith("WEBVTT")
        assert client.get("/v1/tasks").json()["tasks"][0]["task_id"] == task_id
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204
        assert_problem(client.get(f"/v1/status/{task_id}"), 404, "task_not_found")
        assert_problem(client.delete(f"/v1/tasks/{task_id}"), 404, "task_not_found")
        assert not list(service.data.rglob(f"*{task_id}*"))


def test_it_is_as_curl_in_the_documentation(service: Stack, speech: Speech, tmp_path: Path) -> None:
    audio = tmp_path / "meeting.wav"
    audio.write_bytes(speech(60))  # above 1 MiB curl waits for "100 Continue"
    command = ["curl", "-sS", "-X", "POST", f"{service.url}/v1/process", "-H", f"X-API-Key: {KEY}"]
    command += ["-F", f"file=@{audio}", "-F", "features=raw_transcript"]
    accepted = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)
    assert service.wait_final(accepted["task_id"])["status"] == "COMPLETE"


def test_the_transcript_of_an_unfinished_task_is_a_conflict(service: Stack, speech: Speech) -> None:
    task_id = service.post(speech(60)).json()["task_id"]
    with service.client() as client:
        assert_problem(client.get(f"/v1/tasks/{task_id}/transcript.txt"), 409, "conflict")
        assert_problem(client.get(f"/v1/tasks/{task_id}/transcript.doc"), 422, "invalid_request")
        assert client.delete(f"/v1/tasks/{task_id}").status_code == 204


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY.upper(), b"\xe4\xf6\xfc", "x" * 8000])
@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/status/x", "/v1/models", "/v1/nothing"])
def test_without_a_right_key_there_is_only_401(service: Stack, key: Any, path: str) -> None:
    headers = {} if key is None else {b"X-API-Key": key if isinstance(key, bytes) else key.encode()}
    answer = httpx.get(f"{service.url}{path}", headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert "www-authenticate" in answer.headers


def test_no_key_is_ever_logged(service: Stack) -> None:
    service.client(key="a-wrong-key").get("/v1/tasks")
    service.client().get("/v1/tasks")
    text = (service.folder / "api.log").read_text()
    assert '"key_id": "tests"' in text
    assert KEY not in text
    assert "a-wrong-key" not in text


def test_a_wrong_key_is_refused_before_the_body_is_read(service: Stack) -> None:
    """10 GiB are announced; the answer comes without a byte of them."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        head = (
            "POST /v1/process HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Type: multipart/form-data; boundary=b"
        )
        connection.sendall(f"{head}\r\nContent-Length: {10 * 1024 * MIB}\r\n\r\n".encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("empty.wav", b"", 422, "empty_audio"),
        ("text.wav", b"This is a letter, not a recording.\n" * 50, 415, "not_audio"),
        ("zip.mp3", b"PK\x03\x04" + bytes(5000), 415, "not_audio"),
        ("page.ogg", b"<!doctype html><title>x</title>" * 50, 415, "not_audio"),
        ("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(5000), 415, "not_audio"),
        ("head.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", 422, "undecodable"),
        ("zeros.flac", b"fLaC" + bytes(5000), 422, "undecodable"),
        ("zeros.ogg", b"OggS" + bytes(5000), 422, "undecodable"),
        ("tag.mp3", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), 422, "undecodable"),
    ],
)
def test_what_is_no_audio_is_refused(service: Stack, name: str, content: bytes, status: int, code: str) -> None:
    assert_problem(service.post(content, name), status, code)


def test_audio_of_zero_seconds_is_empty(service: Stack, speech: Speech) -> None:
    assert_problem(service.post(speech(0)), 422, "empty_audio")


def test_a_truncated_mp3_is_transcribed_as_far_as_it_goes(service: Stack, tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp3", sample(), 16_000, "mp3").read_bytes()
    answer = service.post(whole[: len(whole) // 3], "a.mp3")
    assert answer.status_code == 202, answer.text
    state = service.wait_final(answer.json()["task_id"])
    assert state["status"] == "COMPLETE"
    assert state["results"]["raw_transcript"].startswith(reference_text()[:50])
    (warning,) = state["warnings"]
    assert "ends early" in warning


def test_a_truncated_mp3_that_holds_no_sound_is_refused(service: Stack, tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp3", sample(), 16_000, "mp3").read_bytes()
    assert_problem(service.post(whole[:200], "a.mp3"), 422, "undecodable")


def silence_bomb(folder: Path, seconds: int) -> bytes:
    """FLAC compresses silence a thousandfold."""
    return encode(folder / "bomb.flac", tone(seconds, 8000, hertz=0.0), 8000, "flac").read_bytes()


def test_a_small_file_of_hours_of_silence_is_refused_for_its_length(service: Stack, tmp_path: Path) -> None:
    bomb = silence_bomb(tmp_path, 4 * 3600)
    assert len(bomb) < 4 * MIB
    assert_problem(service.post(bomb, "bomb.flac"), 422, "audio_too_long")


def test_a_bomb_that_hides_its_length_fails_while_it_is_decoded_and_is_not_tried_again(
    small: Stack, tmp_path: Path
) -> None:
    bomb = bytearray(silence_bomb(tmp_path, 1200))
    assert bomb[:4] == b"fLaC"
    bomb[21] &= 0xF0
    bomb[22:26] = bytes(4)  # number of samples: unknown
    answer = small.post(bytes(bomb), "bomb.flac")
    assert answer.status_code == 202, answer.text
    state = small.wait_final(answer.json()["task_id"])
    assert (state["status"], state["error"]["code"], state["attempt"]) == ("FAILED", "audio_too_long", 1)
    assert not small.uploads()


@pytest.mark.parametrize("kind", ["file", "address"])
@pytest.mark.parametrize("name", ["a.m3u8", "a.mp3", "a.wav"])
def test_a_playlist_fetches_nothing(service: Stack, tmp_path: Path, kind: str, name: str) -> None:
    secret = tmp_path / "secret.wav"
    encode(secret, tone(3, 16_000), 16_000, "wav")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]
        target = str(secret) if kind == "file" else f"http://127.0.0.1:{port}/a.ts"
        lists = {
            "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
            "concat": f"ffconcat version 1.0\nfile '{target}'\n",
            "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
        }
        for text in lists.values():
            answer = service.post(text.encode(), name)
            assert_problem(answer, 415, "not_audio")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_unknown_paths_and_methods_are_problems_too(service: Stack) -> None:
    with service.client() as client:
        assert_problem(client.get("/nothing"), 404, "not_found")
        assert_problem(client.put("/v1/process"), 405, "method_not_allowed")
        assert_problem(client.get("/v1/tasks", params={"limit": 5000}), 422, "invalid_request")
        for task_id in ("x", "..%2f..%2fetc%2fpasswd", "0" * 36):
            assert client.get(f"/v1/status/{task_id}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"features": "summary", "template_id": "meeting_notes_v1"}, "not_available"),
        ({"features": ["raw_transcript", "clean_transcript"]}, "not_available"),
        ({"features": "raw_transcript,enhancement_metrics"}, "not_available"),
        ({"enable_diarization": "true"}, "not_available"),
        ({"features": "poem"}, "invalid_request"),
        ({"colour": "blue"}, "invalid_request"),
        ({"language": "x" * 5000}, "invalid_request"),
    ],
)
def test_what_is_not_on_offer_is_422(service: Stack, speech: Speech, fields: dict[str, Any], code: str) -> None:
    with service.client() as client:
        answer = client.post("/v1/process", files={"file": ("a.wav", speech(1))}, data=fields)
    body = assert_problem(answer, 422, code)
    assert ("not available in this deployment" in body["detail"]) == (code == "not_available")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary in here"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx',
        ),
        ("multipart/form-data; boundary=" + "b" * 2000, b"x"),
    ],
)
def test_a_body_that_is_no_form_is_422(service: Stack, content_type: str, body: bytes) -> None:
    with service.client() as client:
        answer = client.post("/v1/process", content=body, headers={"Content-Type": content_type})
    assert_problem(answer, 422, "invalid_request")


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
    assert limit < sent[0] < limit + 40 * MIB
    assert not stack.uploads()


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
        wait_for(service.uploads, 5, "the upload's folder")
    wait_for(lambda: not service.uploads(), 5, "removal of the upload")
    wait_for(lambda: not service.redis().zcard("maie:reservations"), 5, "the upload's place")


def test_200_parallel_uploads(service: Stack, speech: Speech) -> None:
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
    assert not service.uploads()
    print(f"\n200 uploads at once: {len(accepted)} accepted and complete, {len(refused)} refused with 429")


def test_health_ready_models_and_metrics(service: Stack) -> None:
    assert httpx.get(f"{service.url}/ready").json() == {
        "ready": True,
        "release": "test",
        "profile": "embedded",
        "parts": {"redis": "up", "worker": "up", "engine": "up", "llm": "unused", "disk": "up"},
    }
    with service.client() as client:
        (model,) = client.get("/v1/models").json()["models"]
    assert (model["kind"], model["device"], model["compute_type"]) == ("asr", "cpu", "int8")
    text = httpx.get(f"{service.url}/metrics").text
    for line in (
        'maie_tasks_total{status="COMPLETE"}',
        'maie_queue_depth{state="waiting"} 0.0',
        "maie_queue_capacity 5.0",
        'maie_workers{engine="ready"} 1.0',
        'maie_stage_seconds_total{stage="asr"}',
        'maie_rtf_bucket{le="+Inf"}',
        'maie_http_requests_total{method="GET",route="/ready",status="200"}',
        "process_resident_memory_bytes",
    ):
        assert line in text, line


def test_a_full_disk_is_503(own_stack: Callable[..., Stack], speech: Speech) -> None:
    free = shutil.disk_usage("/tmp").free
    stack = own_stack(min_free_bytes=free + 1024**3)
    stack.start("worker", "api")
    answer = stack.post(speech(1))
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert httpx.get(f"{stack.url}/ready").json()["parts"]["disk"] == "down"
    assert not stack.uploads()


def test_without_a_worker_uploads_are_503(own_stack: Callable[..., Stack], speech: Speech) -> None:
    stack = own_stack()
    stack.start("api")
    answer = stack.post(speech(1))
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert httpx.get(f"{stack.url}/ready").status_code == 503


def test_the_api_description_is_true(service: Stack) -> None:
    description = httpx.get(f"{service.url}/openapi.json").json()
    operation = description["paths"]["/v1/process"]["post"]
    body = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(body["properties"]) == {"file", "features", "template_id", "enable_diarization", "language"}
    assert {"202", "401", "413", "415", "422", "429", "503"} <= set(operation["responses"])
    assert "application/problem+json" in operation["responses"]["429"]["content"]
    for path in description["paths"]:
        if path.startswith("/v1"):
            assert httpx.request("GET", f"{service.url}{path}").status_code == 401


def refuses_to_start(process: Process, log: Path) -> str:
    assert process.popen.wait(20) == 2
    return log.read_text()


@pytest.mark.parametrize(("keys", "said"), [(None, "can't be read"), ("# none\n", "does not run without one")])
def test_there_is_no_default_key(own_stack: Callable[..., Stack], keys: str | None, said: str) -> None:
    stack = own_stack()
    path = stack.credentials / "api_keys"
    path.unlink() if keys is None else path.write_text(keys)
    assert said in refuses_to_start(stack.maie("api"), stack.folder / "api.log")


def test_beyond_loopback_there_is_tls_or_nothing(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(host="0.0.0.0")
    assert "tls_cert.pem is missing" in refuses_to_start(stack.maie("api"), stack.folder / "api.log")
    certificate, key = (stack.credentials / name for name in ("tls_cert.pem", "tls_key.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        "-subj",
        "/CN=maie",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(command, check=True, capture_output=True)
    process = stack.maie("api")
    trust = ssl.create_default_context(cafile=str(certificate))

    def answer() -> bool:
        try:
            return httpx.get(f"https://127.0.0.1:{stack.port}/health", verify=trust).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(answer, 20, "the API over TLS")
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{stack.port}/health")
    started = time.monotonic()
    assert process.terminate() == 0
    assert time.monotonic() - started < 10
