"""A server with OpenAI's audio transcriptions, which records requests, hears with a function, and fails as told."""

from __future__ import annotations

import json
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Literal

import numpy as np
from maie.asr import faster_whisper
from maie.asr.base import RecognitionRequest
from maie.domain import to_dict
from maie.settings import Settings

from support.audiofiles import MODEL, Samples

Behaviour = Literal["ok", "error", "busy", "refused", "garbage", "silent", "endless", "trickle", "dies"]
"""What happens to a request:

ok       the answer
error    500
busy     429
refused  400
garbage  200 with a page of HTML
silent   nothing, for ever
endless  200 with blanks, as fast as it goes, for ever
trickle  200 with a byte each tenth of a second
dies     200, and the connection ends half way
"""

Fields = dict[str, list[str]]
Hear = Callable[[Fields, Samples], Any]


@dataclass(frozen=True)
class Request:
    """One recorded request."""

    path: str
    headers: dict[str, str]
    fields: Fields
    samples: Samples


def whisper() -> Hear:
    """Return what hears with faster-whisper and Whisper tiny.en, as the usual servers do."""
    model = faster_whisper.load(Settings(profile="embedded", asr_model=MODEL, asr_threads=1))

    def hear(fields: Fields, samples: Samples) -> dict[str, Any]:
        words = "word" in fields["timestamp_granularities[]"]
        (heard,) = model.recognise(
            [samples], RecognitionRequest("en", prompt=fields.get("prompt", [None])[0], words=words)
        )
        segments = [to_dict(segment) for segment in heard.segments]
        for segment in segments:
            segment["words"] = [{**word, "word": f" {word['text']}"} for word in segment["words"] or ()]
        return {"language": "english", "text": " ".join(s["text"] for s in segments), "segments": segments}

    return hear


@dataclass
class AsrServer:
    """The server; start it with ``with``.

    Attributes:
        hear: Makes the answer, a JSON value, of a request.
        behaviours: What happens to requests, one after the other; the last holds on.
        requests: All requests so far.
    """

    hear: Hear
    behaviours: list[Behaviour] = field(default_factory=lambda: ["ok"])
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> AsrServer:
        handler = type("Handler", (_Handler,), {"script": self})
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def next_behaviour(self) -> Behaviour:
        """Return what happens to the request that has just come."""
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


class _Handler(BaseHTTPRequestHandler):
    script: AsrServer

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        request = self._request()
        self.script.requests.append(request)
        behaviour = self.script.next_behaviour()
        if behaviour == "silent":
            self.script.ended.wait()
            return
        answer = json.dumps(self.script.hear(request.fields, request.samples)).encode() if behaviour == "ok" else b"{}"
        try:
            self.send_response({"error": 500, "busy": 429, "refused": 400}.get(behaviour, 200))
            if behaviour in ("ok", "dies"):
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            for data in self._body(behaviour, answer):
                self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def _body(self, behaviour: Behaviour, answer: bytes) -> Iterator[bytes]:
        if behaviour == "garbage":
            yield b"<html>"
        elif behaviour == "dies":
            yield answer[:1]
        elif behaviour == "endless":
            while not self.script.ended.is_set():
                yield b" " * 65536 + b"\n"
        elif behaviour == "trickle":
            while not self.script.ended.wait(0.1):
                yield b" "
        else:
            yield answer

    def _request(self) -> Request:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = message_from_bytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + body)
        fields: Fields = {}
        samples = np.zeros(0, np.float32)
        for part in form.get_payload():
            value = part.get_payload(decode=True)
            if part.get_filename():
                samples = _samples(value)
            else:
                fields.setdefault(str(part.get_param("name", header="Content-Disposition")), []).append(value.decode())
        return Request(self.path, dict(self.headers), fields, samples)


def _samples(content: bytes) -> Samples:
    with wave.open(BytesIO(content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
