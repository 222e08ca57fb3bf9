"""The list of what would be downloaded, and which files of an index a platform takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bundles
import lock_downloads
import lock_wheels
import locks
import pytest
import yaml
from ansible.module_utils import durable  # type: ignore[attr-defined]
from package_index_server import PackageIndex, wheel
from packaging.tags import compatible_tags, cpython_tags
from plugin_runner import RunModule

URIS = """\
'http://archive.example.org/pool/redis_6.0.16-1_arm64.deb' redis-server_6.0.16-1_arm64.deb 567890 SHA256:aa
'http://archive.example.org/pool/libjemalloc2.deb' libjemalloc2_5.2.1_arm64.deb 210000 SHA256:bb
"""


PROJECT = Path(__file__).parents[2]


def test_packages_lie_where_only_root_can_put_some() -> None:
    folder = yaml.safe_load((PROJECT / "roles/bundle/vars/main.yml").read_text())["__bundle_folder"]
    assert not folder.startswith(("/tmp/", "/var/tmp/", "/dev/shm/"))


def test_the_list_has_every_file_and_the_sum(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_bytes(bytes(2_500_000))
    torch = {"name": "torch.whl", "bytes": None}
    parts = [
        {"what": "wheels", "files": [{"name": "av.whl", "bytes": 34_500_000}, torch]},
        {"what": "packages", "files": bundles.bundle_debs(URIS)},
        {"what": "models", "files": [bundles.bundle_folder("model", str(tmp_path))]},
        {"what": "not in the bundle", "files": []},
    ]
    assert bundles.bundle_list(parts) == [
        "wheels: 2 files, 34.5 MB and 1 of unknown size",
        "      34.5 MB  av.whl",
        "      unknown  torch.whl",
        "packages: 2 files, 0.8 MB",
        "       0.6 MB  redis-server_6.0.16-1_arm64.deb",
        "       0.2 MB  libjemalloc2_5.2.1_arm64.deb",
        "models: 1 files, 2.5 MB",
        "       2.5 MB  model",
        "in all: 37.8 MB and 1 of unknown size",
    ]


def test_a_model_is_as_big_as_its_folder_or_as_it_is_known_to_be(tmp_path: Path) -> None:
    for folder, size in (("fetched", 5), ("more", 7)):
        (tmp_path / folder / "model").mkdir(parents=True)
        (tmp_path / folder / "model/weights").write_bytes(bytes(size))
    (tmp_path / "more/model/SHA256SUMS").touch()
    folders = [str(tmp_path / name) for name in ("shipped", "fetched", "more")]
    assert bundles.bundle_model("model", folders, {"model": 9}) == {"name": "model", "bytes": 7}
    assert bundles.bundle_model("other", folders, {"other": 9}) == {"name": "other", "bytes": 9}
    assert bundles.bundle_model("unknown", folders, {}) == {"name": "unknown", "bytes": None}


def test_a_server_that_tells_no_size() -> None:
    url = "https://example.org/bsp.tbz2"
    silent, told = {"status": -1}, {"status": 200, "content_length": "740000000"}
    files = bundles.bundle_heads([silent, told], [url, url])
    assert files == [{"name": "bsp.tbz2", "bytes": None}, {"name": "bsp.tbz2", "bytes": 740_000_000}]


def test_wheels_for_another_platform_are_fetched_once_and_kept_through_a_power_cut(
    index: PackageIndex, run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tag in ("cp310-cp310-manylinux_2_28_aarch64", "cp311-cp311-manylinux_2_28_x86_64"):
        index.add(wheel("spoken", "1.0", {}, tag=tag, python=">=3"))
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync", lambda path: synced.append(path.name) if path.exists() else None)
    name = "spoken-1.0-cp310-cp310-manylinux_2_28_aarch64.whl"
    lock = f"spoken==1.0 --hash=sha256:{hashlib.sha256(index.files[name]).hexdigest()}\n"
    archive = tmp_path / "wheels" / locks.lock_archive(lock, "aarch64-cp310")
    asked = {"lock": lock, "platform": "aarch64-cp310", "archive": str(archive)}
    done = run_module(lock_wheels, **asked)
    assert (done["changed"], [file["name"] for file in done["files"]]) == (True, [name])
    assert synced == [archive.with_suffix(".part").name, "wheels"]
    assert not run_module(lock_wheels, **asked)["changed"]
    other = {"lock": lock.replace("sha256:", "sha256:00", 1)[:-3] + "\n", "archive": str(tmp_path / "wheels/other.tar")}
    assert "The wheels for aarch64-cp310 can't be fetched" in run_module(lock_wheels, **{**asked, **other})["msg"]
    assert not (tmp_path / "wheels/other.tar").exists()


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("av-17-cp310-cp310-manylinux_2_28_aarch64.whl", "av-17-py3-none-any.whl"),
        ("av-17-cp310-abi3-manylinux2014_aarch64.whl", "av-17-cp310-cp310-manylinux_2_28_x86_64.whl"),
        ("torch-2.8.0-cp310-cp310-linux_aarch64.whl", "torch-2.8.0-cp311-cp311-linux_aarch64.whl"),
        ("av-17-cp310-cp310-manylinux_2_34_aarch64.whl", "av-17-cp310-cp310-manylinux_2_39_aarch64.whl"),
    ],
)
def test_the_file_that_jetpack_takes(better: str, worse: str) -> None:
    machine, minor = lock_downloads.split_platform("aarch64-cp310")
    tags = lock_downloads.machines(machine)
    abi = f"cp3{minor}"
    order = [*cpython_tags((3, minor), [abi], tags), *compatible_tags((3, minor), abi, tags)]
    assert lock_wheels.rank(better, order) < lock_wheels.rank(worse, order)
