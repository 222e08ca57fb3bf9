"""Exhaustion: errors of the system and of libraries that mean no memory, or no room on the disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from maie.errors import DiskFull

OUT_OF_MEMORY_TEXTS = ("out of memory", "alloc_failed", "bad_alloc", "failed to allocate", "cannot allocate memory")
"""The words of CUDA and CTranslate2, cuBLAS, the C++ library, ONNX Runtime and Linux."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of any library, means that the host or the GPU had no memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY_TEXTS)


@contextmanager
def telling_a_full_disk() -> Iterator[None]:
    """Raise :class:`DiskFull` instead of the system's error for no space, no inodes, or no quota left."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from error
        raise
