"""A package index on this machine, Python's (PEP 503) and npm's, with the faults that downloads meet."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

PAGE = b"<!DOCTYPE html><title>Sign in</title>"


def wheel(
    name: str, version: str, members: Mapping[str, bytes], tag: str = "py3-none-any", python: str = "<3"
) -> tuple[str, bytes]:
    """Return file name and content of a wheel, as a build tool makes it; by default one that no Python 3 may have."""
    about = f"{name.replace('-', '_')}-{version}.dist-info"
    meta = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\nRequires-Dist: nobody\n"
    )
    whole = {
        **members,
        f"{about}/METADATA": meta.encode(),
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{about}/RECORD": b"",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in whole.items():
            archive.writestr(member, data)
    return f"{name.replace('-', '_')}-{version}-{tag}.whl", content.getvalue()


def package(name: str, version: str, members: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return file name and content of an npm package whose installation would run a script."""
    manifest = {"name": name, "version": version, "scripts": {"prepack": "touch ran", "install": "touch ran"}}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for member, data in {"package.json": json.dumps(manifest).encode(), **members}.items():
            about = tarfile.TarInfo(f"package/{member}")
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
        link = tarfile.TarInfo("package/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return f"{name}-{version}.tgz", content.getvalue()


def source_package(name: str, version: str, backend: str) -> tuple[str, bytes]:
    """Return file name and content of a source package whose build runs the code ``backend``."""
    top = f"{name.replace('-', '_')}-{version}"
    how = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for member, text in {"pyproject.toml": how, "backend.py": backend, "PKG-INFO": about}.items():
            info = tarfile.TarInfo(f"{top}/{member}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{top}.tar.gz", content.getvalue()


class PackageIndex:
    """Some distributions, and how the next answers are spoilt.

    Attributes:
        files: Content by file name, as it is served.
        sums: SHA-256 by file name that the index tells; none at first, as an index need not tell any.
        cut: Bytes after which a file's connection breaks, by file name.
        stalls: Names of files after half of which nothing more comes.
        requests: Path of every request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.sums: dict[str, str] = {}
        self.cut: dict[str, int] = {}
        self.stalls: set[str] = set()
        self.requests: list[str] = []
        self.url = ""

    def add(self, made: tuple[str, bytes]) -> bytes:
        """Take a distribution in, and return its content."""
        name, content = made
        self.files[name] = content
        return content

    def asked(self) -> list[str]:
        """Return the names of the files that were asked for."""
        return [path.rpartition("/")[2] for path in self.requests if path.startswith("/files/")]


class Handler(BaseHTTPRequestHandler):
    """Answers as an index does, as far as pip and npm need it."""

    index: PackageIndex

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer the page of a project, what npm is to know of a package, or a file."""
        path = unquote(self.path)
        self.index.requests.append(path)
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "files" and rest in self.index.files:
            self._send_file(rest)
        elif kind == "simple":
            self._send_page(rest.rstrip("/").replace("-", "_"))
        elif kind == "npm":
            self._send_manifest(rest)
        else:
            self._send(404, "text/plain", b"Not found")

    def _send_page(self, project: str) -> None:
        names = [name for name in self.index.files if name.startswith(f"{project}-")]
        links = [f'<a href="/files/{name}{self._fragment(name)}">{name}</a>' for name in names]
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
        self._send(200 if names else 404, "text/html", page)

    def _fragment(self, name: str) -> str:
        return f"#sha256={self.index.sums[name]}" if name in self.index.sums else ""

    def _send_manifest(self, name: str) -> None:
        versions: dict[str, Any] = {}
        for file, content in self.index.files.items():
            if file.startswith(f"{name}-") and file.endswith(".tgz"):
                version = file.removeprefix(f"{name}-").removesuffix(".tgz")
                digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
                where = {"tarball": f"{self.index.url}/files/{file}", "integrity": f"sha512-{digest}"}
                versions[version] = {"name": name, "version": version, "dist": where}
        told = {"name": name, "versions": versions, "dist-tags": {"latest": max(versions, default="")}}
        self._send(200 if versions else 404, "application/json", json.dumps(told).encode())

    def _send_file(self, name: str) -> None:
        content = self.index.files[name]
        if name not in self.index.stalls:
            self._send(200, "application/octet-stream", content, self.index.cut.get(name))
            return
        with suppress(OSError):  # whoever waited was killed
            self._send(200, "application/octet-stream", content, len(content) // 2)
            self.wfile.flush()
            while name in self.index.stalls:
                time.sleep(0.05)

    def _send(self, status: int, kind: str, body: bytes, end: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if kind == "application/octet-stream":
            self.send_header("Cache-Control", "max-age=365000000, immutable, public")
        self.end_headers()
        self.wfile.write(body[:end])
        self.close_connection = True


@contextmanager
def serving(index: PackageIndex) -> Iterator[PackageIndex]:
    """Serve an index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("IndexHandler", (Handler,), {"index": index}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    index.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield index
    finally:
        index.stalls.clear()
        server.shutdown()
        server.server_close()
