"""Prove that a wheel works, in an environment of its own that is made anew; write what was seen to ``proof.json``.

``proof.json`` of the plan says what must hold: ``name``, ``version``, ``imports``, ``gpu_architectures``, ``lock`` (a
hash lock whose packages are installed first, or null) and ``script`` (a program of the recipe that runs in the
environment and prints what it found as JSON, or null) with its ``arguments``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpu_code

SERVER_BUILDS = ("nvidia_cublas", "nvidia_cudnn", "nvidia_cuda", "nvidia_cufft", "nvidia_cusolver", "nvidia_cusparse")
"""CUDA libraries of the package index: for servers, without code for a Jetson's GPU, and found before JetPack's."""

STATIC_RUNTIME = (
    "has the C++ runtime linked in statically, so library and extension each have their own and can't work together: "
    "build with a compiler that links libstdc++ dynamically, as the distribution's g++ does"
)

OF_INSTALLED = """
import importlib, importlib.metadata, json, sys
name, *modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
print(json.dumps({"version": importlib.metadata.version(name)}))
"""


def clean_environment() -> dict[str, str]:
    """Return the environment without what would help a wheel to find its libraries."""
    return {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "PYTHONPATH")}


def with_own_runtime(folder: Path) -> list[str]:
    """Return the libraries of a package that have the C++ runtime in themselves: linked with ``-static-libstdc++``."""
    libraries = ((path.name, path.read_bytes()) for path in sorted(folder.rglob("*.so*")))
    return [name for name, code in libraries if b"__gxx_personality_v0" in code and b"libstdc++.so" not in code]


def printed(command: list[str], package: Path) -> dict[str, Any]:
    """Run a program that prints JSON as its last line; end this one if it fails, with the likely cause."""
    done = subprocess.run(command, cwd="/", env=clean_environment(), text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        own = with_own_runtime(package)
        cause = f"; {', '.join(own)} {STATIC_RUNTIME}" if own else ""
        sys.exit(f"Error: the proof failed: {' '.join(command[:3])} ended with status {done.returncode}{cause}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def install(environment: Path, base: str, wheel: Path, lock: str | None) -> str:
    """Make the environment as a release does - what the lock names, then the wheel - and return its interpreter."""
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([base, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    if lock:
        subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", lock], check=True)
    subprocess.run([*pip, "--no-index", "--force-reinstall", str(wheel)], check=True)
    return python


def main() -> None:
    """Prove the wheel in ``dist``; the first argument is the build's folder."""
    folder = Path(sys.argv[1])
    wanted = json.loads((folder / "plan.json").read_text())["proof"]
    wheels = list((folder / "dist").glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"Error: the build left {len(wheels)} wheels and must leave one")
    python = install(folder / "proof", wanted["python"], wheels[0], wanted["lock"])
    packages = next((folder / "proof/lib").glob("python3*/site-packages"))
    servers = [path.name for path in packages.iterdir() if path.name.startswith(SERVER_BUILDS)]
    if servers:
        sys.exit(f"Error: the environment holds CUDA libraries of servers: {', '.join(sorted(servers))}")
    package = packages / wanted["name"]
    seen = printed([python, "-c", OF_INSTALLED, wanted["name"], *wanted["imports"]], package)
    # A build may add what it was built for, as in 0.11.0+cu126.
    if wanted["version"] and seen["version"].partition("+")[0] != wanted["version"]:
        sys.exit(f"Error: the wheel says version {seen['version']}, wanted is {wanted['version']}")
    code = gpu_code.of_folder(package)
    missing = [name for name in wanted["gpu_architectures"] if name not in code]
    if missing:
        sys.exit(f"Error: the wheel has no GPU code for {', '.join(missing)}; it has {dict(code) or 'none'}")
    if wanted["script"]:
        seen |= printed([python, str(folder / "files" / wanted["script"]), *wanted["arguments"]], package)
    (folder / "proof.json").write_text(json.dumps({**seen, "gpu_code": dict(sorted(code.items()))}))
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
