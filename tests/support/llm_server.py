"""A scripted server with OpenAI's chat completions and vLLM's token count, which records requests and fails as told.

It needs nothing but the standard library to run, so that it can stand for vLLM in an environment without the service.
"""

from __future__ import annotations

import json
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

if TYPE_CHECKING:
    from maie.llm.openai import OpenAiModel

Behaviour = Literal[
    "ok",
    "slow",
    "error",
    "busy",
    "refused",
    "missing",
    "garbage",
    "wrong_shape",
    "infinite",
    "deep",
    "endless",
    "trickle",
    "dies",
    "cut",
    "tokenless",
    "numbers",
]
"""What happens to a request:

ok           the scripted answer, streamed word by word
slow         the same, after ``slow_seconds``
error        500
busy         429
refused      400
missing      404
garbage      200 with a page of HTML
wrong_shape  200 with events that are JSON, but no chat completion
infinite     200 with infinities for numbers of tokens
deep         200 with lists in lists, 100,000 of them
endless      200 with one word after the other, as fast as it goes, for ever
trickle      200 with a byte a second
dies         200, and the connection ends half way
cut          the first half of the answer, with ``finish_reason`` length
tokenless    the scripted answer without its tokens, whatever is asked for
numbers      the same, the tokens told by their numbers, as vLLM does with ``--return-tokens-as-token-ids``
"""

ODD = {
    "infinite": b'{"count": 1e999, "choices": [], "usage": {"prompt_tokens": 1e999, "completion_tokens": 1e999}}',
    "deep": b"[" * 100_000,
}

Answer = Callable[[dict[str, Any]], str]
LETTERS_PER_TOKEN = 4
END = "<|im_end|>"
BOOLEANS = ("logprobs", "stream")


@dataclass(frozen=True)
class Request:
    """One recorded request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


def transcript_of(body: dict[str, Any]) -> list[str]:
    """Return the lines between <transcript> and </transcript>."""
    content: str = body["messages"][-1]["content"]
    return content.partition("<transcript>\n")[2].partition("\n</transcript>")[0].splitlines()


def sensible(body: dict[str, Any]) -> str:
    """Return the example of the template whose schema is asked for, or the transcript itself where none is."""
    from maie.prompting.template import BUILT_IN, load_template

    wanted = body.get("response_format", {}).get("json_schema", {}).get("schema")
    for folder in BUILT_IN.iterdir():
        template = load_template(folder)
        if template.schema == wanted:
            return json.dumps(template.example)
    return "\n".join(transcript_of(body))


def model_of(server: LlmServer, **settings: Any) -> OpenAiModel:
    """Return the client of a server, with a time limit of 10 s for an answer."""
    from maie.llm.openai import load
    from maie.settings import Settings

    given = {"profile": "embedded", "asr_model": Path("unused"), "llm_backend": "openai", "llm_url": server.url}
    return load(Settings(**{**given, "llm_timeout_seconds": 10, **settings}))


@dataclass
class LlmServer:
    """The server; start it with ``with``. What is set while it runs holds from the next request on.

    Attributes:
        answer: Makes the reply's text of a request's body.
        behaviours: What happens to chats, one after the other; the last holds on.
        sure: How likely each token is, by its text.
        refuses: Fields of a chat that are answered with 400.
        tokenize: What happens to token counts.
        requests: All requests so far, in their order.
        context: The ``max_model_len`` that token counts tell.
        port: Where it listens; 0 for any that is free.
        path: The socket on which it listens instead.
    """

    answer: Answer = sensible
    behaviours: list[Behaviour] = field(default_factory=lambda: ["ok"])
    tokenize: Behaviour = "ok"
    sure: Callable[[str], float] = lambda _: 1.0
    refuses: tuple[str, ...] = ()
    slow_seconds: float = 30.0
    context: int = 8192
    port: int = 0
    path: str = ""
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> LlmServer:
        handler = type("Handler", (_Handler,), {"script": self})
        self._ended = threading.Event()
        self._server = _OnSocket(self.path, handler) if self.path else _OnPort(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        host = quote(self.path, safe="") if self.path else f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'http+unix' if self.path else 'http'}://{host}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse all connections from now on; whoever is being answered is left alone."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all requests for a chat completion."""
        return [request.body for request in self.requests if request.path == "/v1/chat/completions"]

    def next_behaviour(self) -> Behaviour:
        """Return what happens to the chat that has just come."""
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        self._ended.wait(seconds)

    @property
    def has_ended(self) -> bool:
        """Whether the server was stopped."""
        return self._ended.is_set()


class _OnPort(ThreadingHTTPServer):
    daemon_threads = True


class _OnSocket(_OnPort):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which a path is not."""
        TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    script: LlmServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """List the models, as ``/v1/models`` does."""
        content = json.dumps({"object": "list", "data": [{"id": "maie-llm", "object": "model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.script.requests.append(Request(self.path, dict(self.headers), body))
        count = self.path == "/tokenize"
        behaviour = self.script.tokenize if count else self.script.next_behaviour()
        status = {"error": 500, "busy": 429, "refused": 400, "missing": 404}.get(behaviour, 200)
        if status == 200 and not count and not self._is_valid(body):
            status = 400
        if behaviour == "slow":
            self.script.wait(self.script.slow_seconds)
        self.close_connection = True
        try:
            self.send_response(status)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            for data in self._body(behaviour, status, count, body):
                self._send(data)
            if behaviour != "dies":
                self._send(b"")
        except OSError:
            pass  # the client has gone

    def _is_valid(self, body: dict[str, Any]) -> bool:
        """Whether vLLM would take the fields; ``top_logprobs`` needs ``logprobs``."""
        known = not set(self.script.refuses) & set(body)
        return known and all(type(body.get(name, False)) is bool for name in BOOLEANS) and "top_logprobs" not in body

    def _send(self, data: bytes) -> None:
        """Send one chunk; an empty one ends the answer."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _body(self, behaviour: Behaviour, status: int, count: bool, body: dict[str, Any]) -> Iterator[bytes]:
        if status != 200:
            yield json.dumps({"error": {"message": behaviour, "code": status}}).encode()
        elif behaviour == "garbage":
            yield b"<html><body>Bad gateway</body></html>"
        elif behaviour == "wrong_shape":
            yield b'data: {"hello": ["world"]}\n\ndata: [DONE]\n\n'
        elif behaviour in ODD:
            yield ODD[behaviour] if count else b"data: " + ODD[behaviour] + b"\n\n"
        elif count:
            letters = sum(len(message["content"]) for message in body["messages"])
            yield json.dumps({"count": letters // LETTERS_PER_TOKEN, "max_model_len": self.script.context}).encode()
        elif behaviour == "endless":
            while not self.script.has_ended:
                yield _event({"content": "and so on "})
        elif behaviour == "trickle":
            for byte in b"".join(self._reply("ok", body)) * 100:
                yield bytes([byte])
                self.script.wait(1)
        else:
            yield from self._reply(behaviour, body)

    def _tokens(self, text: str, behaviour: Behaviour) -> list[dict[str, Any]]:
        """Return the tokens of a piece of the reply as vLLM tells them."""
        tokens = []
        for number, piece in enumerate(_pieces(text)):
            shown = f"token_id:{number}" if behaviour == "numbers" else piece
            log_probability = math.log(self.script.sure(piece))
            told = {"token": shown, "logprob": log_probability, "bytes": list(shown.encode()), "top_logprobs": []}
            tokens.append(told)
        return tokens

    def _reply(self, behaviour: Behaviour, body: dict[str, Any]) -> Iterator[bytes]:
        words = self.script.answer(body).split(" ")
        shown = words[: max(1, len(words) // 2)] if behaviour in ("dies", "cut") else words
        tells = body.get("logprobs", False) and behaviour != "tokenless"
        yield _event({"role": "assistant", "content": ""})
        for number, word in enumerate(shown):
            text = f" {word}" if number else word
            yield _event({"content": text}, tokens=self._tokens(text, behaviour) if tells else None)
        if behaviour == "dies":
            return
        end = self._tokens(END, behaviour) if tells and behaviour != "cut" else None
        yield _event({"content": ""}, "length" if behaviour == "cut" else "stop", end)
        letters = sum(len(message["content"]) for message in body["messages"])
        usage = {"prompt_tokens": letters // LETTERS_PER_TOKEN, "completion_tokens": len(shown)}
        yield b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


def _pieces(text: str) -> list[str]:
    """Cut a text into words, signs and line ends, each with the space before it; other letters into their bytes."""
    found = re.findall(r"\n| ?[A-Za-z]+| ?[^A-Za-z\n ]| ", text) if text != END else [END]
    return [part for piece in found for part in ([piece] if piece.isascii() else ["�"] * len(piece.encode()))]


def _event(delta: dict[str, Any], finish: str | None = None, tokens: list[dict[str, Any]] | None = None) -> bytes:
    logprobs = None if tokens is None else {"content": tokens}
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    event = {"id": "chat-1", "object": "chat.completion.chunk", "created": int(time.time()), "choices": [choice]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"
