from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maie.api.http.upload import FormParser, shown_name
from maie.errors import InvalidRequest, UploadTooLarge

BOUNDARY = b"frontier"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    suffix = f'; filename="{filename}"' if filename is not None else ""
    head = f'Content-Disposition: form-data; name="{name}"{suffix}\r\n\r\n'.encode()
    return b"--" + BOUNDARY + b"\r\n" + head + content + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"


def parse(folder: Path, body: bytes, cuts: list[int] | None = None, max_bytes: int = 1000) -> FormParser:
    folder.mkdir(exist_ok=True)
    target = folder / "task" / "audio"
    parser = FormParser(BOUNDARY, target, max_bytes)
    edges = [0, *sorted(cuts or []), len(body)]
    try:
        for start, end in pairwise(edges):
            parser.write(body[start:end])
        parser.close()
    finally:
        parser.abandon()
    return parser


@settings(deadline=None)
@given(content=st.binary(max_size=300), cuts=st.lists(st.integers(0, 700), max_size=8))
def test_the_file_arrives_whole_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("upload")
    body = part("language", b"en") + part("file", content, "a.wav") + part("features", b"raw_transcript") + END
    parser = parse(folder, body, [cut for cut in cuts if cut < len(body)])
    assert parser.complete
    assert (folder / "task/audio").read_bytes() == content
    assert parser.form.size == len(content)
    assert parser.form.fields == {"language": ["en"], "features": ["raw_transcript"]}


def test_one_byte_too_many_is_too_large(tmp_path: Path) -> None:
    parse(tmp_path, part("file", b"x" * 1000, "a") + END)
    with pytest.raises(UploadTooLarge):
        parse(tmp_path / "other", part("file", b"x" * 1001, "a") + END)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(part("file", b"1", "a") + part("file", b"2", "b") + END, id="two files"),
        pytest.param(part("language", b"x" * 3000) + END, id="long field"),
        pytest.param(b"".join(part("features", b"x") for _ in range(33)) + END, id="many parts"),
        pytest.param(b"--" + BOUNDARY + b"\r\nContent-Type: audio/wav\r\n\r\nx\r\n" + END, id="part without a name"),
        pytest.param(b"--" + BOUNDARY + b"\r\n" + b"A: b\r\n" * 50 + b"\r\nx\r\n" + END, id="many headers"),
        pytest.param(b"--other\r\n\r\n", id="another boundary"),
        pytest.param(b"no form at all", id="no form"),
    ],
)
def test_what_is_no_form_of_ours_is_invalid(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(tmp_path, body)


def test_a_form_that_breaks_off_is_not_complete(tmp_path: Path) -> None:
    assert not parse(tmp_path, part("file", b"content", "a")).complete


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"../../x.wav", "x.wav"),
        (b"C:\\music\\a.mp3", "a.mp3"),
        (b"/etc/passwd", "passwd"),
        (b"a\x00b\r\nc\x1b[31m.wav", "abc[31m.wav"),
        ("\u202egnp.wav".encode(), "gnp.wav"),
        (b"..", ".."),
        (b"\xff.wav", "\ufffd.wav"),
        (b"x" * 4096, "x" * 255),
    ],
)
def test_the_clients_name_is_only_shown_and_safe_to_show(sent: bytes, shown: str) -> None:
    assert shown_name(sent) == shown
