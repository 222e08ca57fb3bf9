"""Prove that a vLLM is the one that was built, and that it works where it has kernels.

The argument is the target device. ``empty``: the package's own word for its version, which is independent of the rest
on purpose; importing more needs torch. ``cuda``: the kernels, and what structured output and AWQ checkpoints need.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import runpy
import sys
from pathlib import Path
from typing import Any

NEEDED = ("vllm._C", "xgrammar", "compressed_tensors")
GPU_NODES = ("/dev/nvhost-gpu", "/dev/nvgpu/igpu0/ctrl", "/dev/nvidia0")


def of_kernels() -> dict[str, Any]:
    """Import what is needed; see the GPU where there is one."""
    import torch

    for module in NEEDED:
        importlib.import_module(module)
    gpu = any(Path(node).exists() for node in GPU_NODES)
    if gpu and not torch.cuda.is_available():
        sys.exit("Error: this machine has a GPU, and torch sees none: it is a build without CUDA, or not for it")
    versions = {name: importlib.metadata.version(name) for name in ("torch", "xgrammar", "compressed-tensors")}
    return {"cuda_devices": torch.cuda.device_count(), **versions}


def main() -> None:
    """Print what was found as JSON, or end with the reason why it is not enough."""
    distribution = importlib.metadata.distribution("vllm")
    version = distribution.version
    told = runpy.run_path(str(distribution.locate_file("vllm/_version.py")))["__version__"]
    if told.partition("+")[0] != version.partition("+")[0]:
        sys.exit(f"Error: the package says version {told}, its metadata {version}")
    found = of_kernels() if sys.argv[1] == "cuda" else {}
    print(json.dumps({"version": version, **found}))


if __name__ == "__main__":
    main()
