"""Prove that CTranslate2 works here: the GPU if there is one, the compute types of the CPU, and real speech.

Arguments, all or none: folder of a model, a wav file, a JSON file whose ``verbatim`` is what is said in it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import ctranslate2

GPU_NODES = ("/dev/nvhost-gpu", "/dev/nvgpu/igpu0/ctrl", "/dev/nvidia0")
MOST_WRONG = 0.1
"""Share of the reference's words that may be missing: it is the same small model everywhere."""


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return re.findall(r"[a-z']+", text.lower())


def transcribe(model: str, audio: str, device: str) -> str:
    """Return what is said."""
    from faster_whisper import WhisperModel

    segments, _ = WhisperModel(model, device=device, local_files_only=True).transcribe(audio, language="en")
    return " ".join(segment.text for segment in segments)


def main() -> None:
    """Print what was found as JSON, or end with the reason why it is not enough."""
    gpu = any(Path(node).exists() for node in GPU_NODES)
    found: dict[str, Any] = {"cuda_devices": ctranslate2.get_cuda_device_count()}
    if gpu and found["cuda_devices"] < 1:
        sys.exit("Error: this machine has a GPU, and CTranslate2 sees none: it is a build without CUDA, or not for it")
    for device in ["cpu", *(["cuda"] if gpu else [])]:
        found[device] = sorted(ctranslate2.get_supported_compute_types(device))
        if "int8" not in found[device]:
            sys.exit(f"Error: CTranslate2 has no int8 on {device}, only {', '.join(found[device])}")
    if sys.argv[1:]:
        model, audio, reference = sys.argv[1:]
        found["transcript"] = transcribe(model, audio, "cuda" if gpu else "cpu")
        wanted = words(json.loads(Path(reference).read_text())["verbatim"])
        missing = set(wanted) - set(words(found["transcript"]))
        if len(missing) > MOST_WRONG * len(set(wanted)):
            sys.exit(f"Error: the transcript lacks {len(missing)} words of the reference: {found['transcript']}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
