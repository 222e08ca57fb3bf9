"""Want of memory is told from other failures, in the words that the libraries really use."""

from __future__ import annotations

import subprocess
import sys

import pytest
from maie.exhaustion import is_out_of_memory
from support.audiofiles import LLM

LOAD = f"""
import resource, ctranslate2, tokenizers
from pathlib import Path
from maie import exhaustion, llm
from maie.settings import Settings
settings = Settings(profile="embedded", asr_model="", llm_backend="ctranslate2", llm_model={str(LLM)!r}, llm_threads=1)
pages = int(Path("/proc/self/statm").read_text().split()[0])
room = pages * resource.getpagesize() + 4 * 1024**2
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    llm.load(settings)
except Exception as error:
    print(type(error).__name__, exhaustion.is_out_of_memory(error))
"""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA failed with error out of memory"),  # CTranslate2 on a full GPU
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),  # the same, a little less full
        RuntimeError("mkl_malloc: failed to allocate memory"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        MemoryError(),
    ],
)
def test_want_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA failed with error device-side assert triggered"),
        RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"),
        ValueError("Invalid compute type: int3"),
    ],
)
def test_other_failures(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_a_language_model_for_which_there_is_no_memory_is_no_mistake_of_configuration() -> None:
    ended = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "RuntimeError True\n", ended.stderr
