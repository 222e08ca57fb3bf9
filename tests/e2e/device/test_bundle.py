"""A device without a way out is installed from the bundle alone; a wheel that was built takes the index's place."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual import PROJECT, Play, docker, play

pytestmark = [pytest.mark.device, pytest.mark.timeout(1200)]

INVENTORY = PROJECT / "tests/e2e/device/bundle/hosts.yml"
DEVICE = "jetson-e2e-03"
LOCAL = "built"
"""Marks the version of the wheel that stands for one that was built: 4.8.5+built."""


def shell(command: str) -> str:
    return docker("exec", DEVICE, "bash", "-ec", command).strip()


def built_wheel(folder: Path) -> Path:
    """Return the index's CTranslate2 under a version of its own: it works, and can be told from the index's."""
    lock = (PROJECT / "requirements/x86_64-cp311.txt").read_text()
    version = re.search(r"^ctranslate2==(\S+)", lock, re.MULTILINE)
    assert version
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, f"ctranslate2=={version[1]}"], check=True)
    original = next(folder.glob("*.whl"))
    wheel = folder / original.name.replace(version[1], f"{version[1]}+{LOCAL}")
    with (
        zipfile.ZipFile(original) as source,
        zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/METADATA"):
                content = content.replace(f"Version: {version[1]}".encode(), f"Version: {version[1]}+{LOCAL}".encode())
            # An empty record is a valid one; pip writes its own.
            content = b"" if name.endswith("/RECORD") else content
            target.writestr(name.replace(f"-{version[1]}.dist-info", f"-{version[1]}+{LOCAL}.dist-info"), content)
    original.unlink()
    return wheel


def publish(wheel: Path, wheelhouse: Path) -> str:
    """Put the wheel into a wheelhouse as the role does; return its SHA-256."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    folder = wheelhouse / "ctranslate2" / ("ab" * 32)
    folder.mkdir(parents=True)
    builder = {"architecture": "x86_64", "python": "cpython-311-x86_64-linux-gnu", "cuda": None}
    needs = {"packages": [], "imports": ["ctranslate2"], "arguments": []}
    manifest = {"builder": builder, "built_at": "2026-01-01T00:00:00Z", "install": needs}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    probe = "import os, pwd; assert pwd.getpwuid(os.getuid()).pw_name == 'maie'\n"
    (folder / "probe.py").write_text(probe)
    wheel.rename(folder / wheel.name)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return digest


@pytest.fixture(scope="module")
def device() -> Iterator[None]:
    """A fresh device."""
    made = play("playbooks/virtual.yml", inventory=INVENTORY)
    assert made.returncode == 0, made.stdout
    yield
    play("playbooks/virtual.yml", "-e", "virtual_host_state=absent", inventory=INVENTORY)


def text_of(done: Play) -> str:
    return " ".join(done.stdout.split())


def test_installed_without_a_way_out(device: None, tmp_path: Path) -> None:
    wheelhouse, bundle = tmp_path / "house", tmp_path / "bundle"
    sha256 = publish(built_wheel(tmp_path), wheelhouse)
    wheels = ("-e", '{"maie_wheels": {"ctranslate2": "newest"}}')
    make = ("playbooks/bundle.yml", *wheels, "-e", f"wheelhouse_dir={wheelhouse}", "-e", f"bundle_dir={bundle}")
    listed = play(*make, "--check", inventory=INVENTORY)
    assert listed.returncode == 0, listed.stdout
    assert not bundle.exists()
    assert re.search(r"wheels of x86_64-cp311: \d+ files, [\d.]+ MB", listed.stdout), listed.stdout
    made = play(*make, inventory=INVENTORY)
    assert made.returncode == 0, made.stdout
    assert re.search(r"packages of jetson-e2e-03: \d+ files, [\d.]+ MB", made.stdout), made.stdout
    shell("ip route del default")

    deploy = ("playbooks/deploy.yml", *wheels, "-e", f"maie_bundle={bundle}")
    done = play(*deploy, inventory=INVENTORY)
    assert done.returncode == 0, done.stdout
    manifest = json.loads(shell("cat /opt/maie/current/manifest.json"))
    assert [(built["name"], built["sha256"]) for built in manifest["built"]] == [("ctranslate2", sha256)]
    assert f"+{LOCAL}" in shell("/opt/maie/current/venv/bin/pip list | grep ctranslate2")
    assert sha256 in shell("cat /opt/maie/current/venv/lib/python3*/site-packages/ctranslate2-*/direct_url.json")
    smoke = json.loads((PROJECT / f"artifacts/smoke/{DEVICE}.json").read_text())
    assert smoke["ok"]

    again = play(*deploy, inventory=INVENTORY)
    assert re.search(rf"{DEVICE} .*changed=0 ", re.sub(r"\x1b\[[0-9;]*m", "", again.stdout)), again.stdout
    # Nothing of this could have come from an index.
    tried = "/opt/maie/current/venv/bin/pip download --quiet --retries 0 --timeout 5 --dest /tmp six"
    assert shell(f"{tried} || echo no way out").endswith("no way out")

    # A bit that has changed is told before anything is done.
    archive = next((bundle / "wheels").glob("*.tar"))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    flipped = play(*deploy, inventory=INVENTORY)
    assert flipped.returncode != 0
    assert f"./wheels/{archive.name}: FAILED" in text_of(flipped)
