"""A hub of models on this machine, with the faults that downloads meet."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


class Hub:
    """One repository with its files, and how the next answers are spoilt.

    Attributes:
        files: Name to content as it is served.
        listed: Name to content as the hub's list has it.
        cut_after: Bytes after which a connection breaks, once for each entry.
        resumes: Whether the server knows ranges.
        trickles: Whether the list comes a byte each tenth of a second.
        requests: Path and range of every request.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.listed = dict(files)
        self.cut_after: list[int] = []
        self.resumes = True
        self.trickles = False
        self.requests: list[tuple[str, str | None]] = []
        self.url = ""

    def listing(self) -> bytes:
        """Return what the hub says of its files; it has sums of large ones only."""
        siblings = []
        for name, content in self.listed.items():
            entry: dict[str, object] = {"rfilename": name, "size": len(content)}
            if name.endswith((".bin", ".safetensors")):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            siblings.append(entry)
        return json.dumps({"sha": COMMIT, "siblings": siblings}).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers as huggingface_hub's server does, as far as that is needed."""

    hub: Hub

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer the list of files, or a file from a byte on."""
        asked = self.headers.get("Range")
        self.hub.requests.append((self.path, asked))
        if self.path.startswith("/api/models/"):
            self._send(200, self.hub.listing())
            return
        content = self.hub.files.get(self.path.rsplit("/", 1)[1])
        if content is None or f"/resolve/{COMMIT}/" not in self.path:
            self._send(404, b"Entry not found")
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.hub.resumes else 0
        self._send(206 if start else 200, content[start:])

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        breaks = self.hub.cut_after and "/resolve/" in self.path and len(body) > self.hub.cut_after[0]
        if self.hub.trickles:
            with suppress(OSError):  # nobody waits for all of it
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            return
        self.wfile.write(body[: self.hub.cut_after.pop(0)] if breaks else body)
        self.close_connection = True


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
