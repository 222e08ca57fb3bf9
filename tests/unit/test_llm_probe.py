"""How the API asks whether the language model's server is up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from maie.api.llm_probe import LlmProbe
from maie.settings import Settings


@contextmanager
def listening(location: str | None) -> Iterator[tuple[str, list[str | None]]]:
    """Serve 200, or a redirect to ``location``; yield the address and the keys that were shown."""
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(302 if location else 200)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", shown
        finally:
            server.shutdown()
            thread.join()


def probe(url: str, folder: Path) -> LlmProbe:
    (folder / "llm_key").write_text("secret\n")
    return LlmProbe(Settings(profile="embedded", asr_model=folder, llm_url=url, credentials_dir=folder))


def test_the_key_is_shown_to_the_server_and_to_no_other(tmp_path: Path) -> None:
    """One that sends elsewhere is of no use to the language model's client either, which goes nowhere else."""
    with listening(None) as (elsewhere, shown_elsewhere), listening(elsewhere) as (url, shown):
        assert not probe(url, tmp_path).up()
        assert shown == ["Bearer secret"]
        assert shown_elsewhere == []
        assert probe(elsewhere, tmp_path).up()
        assert shown_elsewhere == ["Bearer secret"]
