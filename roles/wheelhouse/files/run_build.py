"""Run the steps of a build, one after the other; started by systemd, once more after each interruption.

``plan.json`` holds ``steps`` (name and shell commands), ``environment`` and ``swap`` (file and MiB, or null). A failed
step is written to ``failed.json``, a whole build to ``result.json``. The tools themselves know what they have done: a
step that is run again does what is left of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2))
    part.replace(path)


def swap_on(swap: dict[str, Any]) -> None:
    """Give the machine more swap for the time of the build, unless an interrupted one has left it on."""
    file = Path(swap["file"])
    if str(file) in Path("/proc/swaps").read_text():
        return
    subprocess.run(["fallocate", "--length", f"{swap['mb']}M", str(file)], check=True)
    file.chmod(0o600)
    subprocess.run(["mkswap", str(file)], check=True)
    subprocess.run(["swapon", str(file)], check=True)


def swap_off(swap: dict[str, Any]) -> None:
    """Take the swap of the build away."""
    subprocess.run(["swapoff", swap["file"]], check=True)
    Path(swap["file"]).unlink()


def run(steps: list[dict[str, str]], environment: dict[str, str], folder: Path) -> dict[str, float]:
    """Run the steps and return the seconds of each; end the program at one that fails."""
    seconds = {}
    for number, step in enumerate(steps, 1):
        began, offset = time.monotonic(), os.fstat(1).st_size
        print(f"=== step {step['name']} ({number} of {len(steps)})", flush=True)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step["run"]], cwd=folder, env={**os.environ, **environment}, check=False
        )
        if done.returncode != 0:
            write(folder / "failed.json", {"name": step["name"], "status": done.returncode, "offset": offset})
            sys.exit(1)
        seconds[step["name"]] = round(time.monotonic() - began, 1)
    return seconds


def main() -> None:
    """Build in the folder that the argument names."""
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "failed.json").unlink(missing_ok=True)
    for name in ("dist", "prefix", "cmake"):
        (folder / name).mkdir(exist_ok=True)
    # What an interrupted run packed may be half a wheel.
    for left in (folder / "dist").iterdir():
        left.unlink()
    if plan["swap"]:
        swap_on(plan["swap"])
    environment = {name: str(value) for name, value in plan["environment"].items()}
    try:
        seconds = run(plan["steps"], environment, folder)
    finally:
        if plan["swap"]:
            swap_off(plan["swap"])
    wheel = next((folder / "dist").glob("*.whl"))
    with wheel.open("rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    write(
        folder / "result.json",
        {
            "wheel": str(wheel),
            "sha256": digest,
            "steps": seconds,
            # Of the largest single process: what a job has to be given.
            "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "proof": json.loads((folder / "proof.json").read_text()),
        },
    )


if __name__ == "__main__":
    main()
