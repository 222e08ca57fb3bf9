"""A wheel that does not do what its recipe says fails its proof, and so the build, and is never published."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import prove
import pytest

FILES = Path(__file__).parents[2] / "roles/wheelhouse/files"
WANTED = {"version": "1.0", "imports": ["probe"], "gpu_architectures": [], "lock": "", "script": "", "arguments": []}


def build(folder: Path, **wanted: Any) -> subprocess.CompletedProcess[str]:
    """Run the steps of a build that packs a small wheel."""
    with zipfile.ZipFile(folder / "probe-1.0+cu126-py3-none-any.whl", "w") as wheel:
        info = "probe-1.0+cu126.dist-info"
        wheel.writestr("probe/__init__.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0+cu126\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    steps = [
        {"name": "package", "run": 'cp *.whl "$DIST"'},
        {"name": "proof", "run": f"{sys.executable} {FILES / 'prove.py'} {folder}"},
    ]
    plan = {
        "steps": steps,
        "environment": {"DIST": f"{folder}/dist"},
        "swap": None,
        "proof": {"name": "probe", "python": sys.executable, **WANTED, **wanted},
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    command = [sys.executable, str(FILES / "run_build.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build whose wheel works."""
    folder = tmp_path_factory.mktemp("proven")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_wheel_that_works(proven: Path) -> None:
    result = json.loads((proven / "result.json").read_text())
    assert set(result["steps"]) == {"package", "proof"}
    assert result["peak_mb"] > 5
    assert result["proof"] == {"version": "1.0+cu126", "gpu_code": {}}


def test_a_wheel_that_does_not(tmp_path: Path) -> None:
    done = build(tmp_path, imports=["probe.kernels"])
    assert done.returncode == 1
    assert "No module named 'probe.kernels'" in done.stderr
    assert not (tmp_path / "result.json").exists()
    assert json.loads((tmp_path / "failed.json").read_text())["name"] == "proof"


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (b"\0__gxx_personality_v0\0", ["throws.so"]),
        (b"\0__gxx_personality_v0\0libstdc++.so.6\0", []),
        (b"\0no C++\0", []),
    ],
    ids=["static", "shared", "none"],
)
def test_a_library_with_a_c_plus_plus_runtime_of_its_own_is_named(
    tmp_path: Path, code: bytes, named: list[str]
) -> None:
    """As a compiler leaves it that links the runtime statically: no error when it is built, and none can import it."""
    (tmp_path / "throws.so").write_bytes(code)
    assert prove.with_own_runtime(tmp_path) == named


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [
        ({"version": "1.1"}, "says version 1.0+cu126, wanted is 1.1"),
        ({"gpu_architectures": ["sm_87"]}, "no GPU code for sm_87; it has none"),
    ],
)
def test_what_a_wheel_lacks(
    proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], cause: str
) -> None:
    """In the environment of the wheel that works: it takes seconds to make another."""
    for name in ("dist", "proof"):
        (tmp_path / name).symlink_to(proven / name)
    plan = json.loads((proven / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({"proof": plan["proof"] | wanted}))
    monkeypatch.setattr(prove, "install", lambda *_: str(proven / "proof/bin/python"))
    monkeypatch.setattr(sys, "argv", ["prove.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=re.escape(cause)):
        prove.main()
    assert not (tmp_path / "proof.json").exists()
