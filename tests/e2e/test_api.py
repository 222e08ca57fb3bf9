"""The API as its clients see it: over HTTP, with a real worker and a real engine behind it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from maie.api.options import FIELDS
from support.processes import Process, wait_for
from support.stack import KEY, MIB, Speech, Stack, assert_problem

pytestmark = pytest.mark.usefixtures("leaves_the_service_sound")


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
@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/status/x", "/v1/templates/x/schema", "/v1/nothing"])
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
        ({"language": "de"}, "not_available"),
        ({"features": "poem"}, "invalid_request"),
        ({"colour": "blue"}, "invalid_request"),
        ({"language": "x" * 5000}, "invalid_request"),
    ],
)
def test_what_is_not_on_offer_is_422(small: Stack, speech: Speech, fields: dict[str, Any], code: str) -> None:
    with small.client() as client:
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


def test_health_ready_models_and_metrics(service: Stack) -> None:
    assert httpx.get(f"{service.url}/ready").json() == {
        "ready": True,
        "release": "test",
        "profile": "embedded",
        "parts": {"redis": "up", "worker": "up", "engine": "up", "llm": "up", "disk": "up"},
    }
    with service.client() as client:
        speech, language = client.get("/v1/models").json()["models"]
    assert (speech["kind"], speech["device"], speech["compute_type"]) == ("asr", "cpu", "int8")
    assert (language["kind"], language["id"], language["engine"]) == ("llm", "tiny-llm-en", "ctranslate2")
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
    assert "maie_audio_seconds_total" in text
    assert "maie_audio_seconds_total 0.0" not in text


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
    assert set(body["properties"]) == {"file"} | FIELDS
    assert {"202", "401", "413", "415", "422", "429", "503"} <= set(operation["responses"])
    assert "application/problem+json" in operation["responses"]["429"]["content"]
    text = json.dumps(description)
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(description["components"]["schemas"])
    assert not re.search(r'"#/(?!components/schemas/)', text)
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
    stack.certify()
    process = stack.maie("api")
    trust = ssl.create_default_context(cafile=stack.certificate)

    def answer() -> bool:
        try:
            return httpx.get(f"https://127.0.0.1:{stack.port}/health", verify=trust).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(answer, 60, "the API over TLS")
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{stack.port}/health")
    started = time.monotonic()
    assert process.terminate() == 0
    assert time.monotonic() - started < 10
