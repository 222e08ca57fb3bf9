"""Explains the log of a failed build: the compiler's message, and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass

ERROR_LINE = re.compile(
    r"(\berror:|\bfatal error\b|CMake Error|^ERROR\b|^E: |Error:|Killed|internal compiler error|undefined reference"
    r"|\bld:(?! ?warning)|No space left|No rule to make|[Cc]lock skew|cannot find)"
)
SHOWN_LINES = 8
AFTER_CMAKE_ERROR = 4
"""CMake prints its message below the line with the file name."""


@dataclass(frozen=True)
class Failure:
    """A pattern in a log, and the remedy for it."""

    pattern: str
    remedy: str


FAILURES = (
    Failure(
        r"No space left on device|[Dd]isk quota exceeded",
        "The builder's disk is full: free some space, or set wheelhouse_build_dir to a bigger disk. What was compiled "
        "is kept.",
    ),
    Failure(
        r"Killed signal|\bKilled\b|out of memory|[Cc]annot allocate memory|virtual memory exhausted|std::bad_alloc",
        "The compiler ran out of memory: lower wheelhouse_jobs, allow swap with wheelhouse_swap_mb, or build on a "
        "machine with more memory. What was compiled is kept.",
    ),
    Failure(
        r"MKL include directory not found|MKL library directory not found|libiomp5 not found|-m64.*unrecognized"
        r"|unrecognized.*-m64|MKL .*(not|isn't) (available|supported).*(ARM|aarch64)",
        "MKL and Intel's OpenMP exist for x86 only: on ARM set WITH_MKL=OFF, OPENMP_RUNTIME=COMP, WITH_OPENBLAS=ON "
        "and WITH_RUY=ON.",
    ),
    Failure(
        r"third_party/\S+.*does not (contain a CMakeLists|exist)|does not contain a CMakeLists\.txt file"
        r"|not an existing directory|third_party/\S+: No such file",
        "A submodule is missing: the source must be a git commit with submodules, or an archive that contains them.",
    ),
    Failure(
        r"Compatibility with CMake < 3\.5 has been removed|FindCUDA module has been removed|CMP0146",
        "This CMake is too new for the source: use a version below 4, such as the distribution's (cmake<4 from pip).",
    ),
    Failure(
        r"[Cc]lock skew|has modification time .* in the future",
        "The builder's clock was wrong during the build: set it, remove the build folder and run again.",
    ),
    Failure(
        r"file (format )?not recognized|file truncated|malformed archive",
        "A file of the build was truncated, perhaps by a power cut: remove the build folder and run again.",
    ),
    Failure(
        r"No CUDA toolset found|Specify CUDA_TOOLKIT_ROOT_DIR|CUDA_TOOLKIT_ROOT_DIR not found|nvcc: not found"
        r"|CUDA_HOME is not set|Could NOT find CUDA",
        "The CUDA toolkit is missing on the builder: install JetPack's (nvidia-jetpack), or use a builder that has it.",
    ),
)
"""The most specific first: a log may contain several."""


def errors(log: str) -> list[str]:
    """Return the first lines in which the compiler, the linker or CMake reports an error."""
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", log)]
    found: list[str] = []
    until = -1
    for number, line in enumerate(lines):
        if "CMake Error" in line:
            until = number + AFTER_CMAKE_ERROR
        if (
            line.strip()
            and not line.startswith("-- ")
            and (ERROR_LINE.search(line) or number <= until)
            and line not in found
        ):
            found.append(line)
        if len(found) == SHOWN_LINES:
            break
    return found


def explain(step: str, log: str) -> str:
    """Return what to print for a failed step: the tools' own lines, then the remedy where one is known."""
    told = errors(log) or [line for line in log.splitlines() if line.strip()][-SHOWN_LINES:]
    # CMake wraps its messages.
    text = re.sub(r"\s+", " ", log)
    remedy = next((failure.remedy for failure in FAILURES if re.search(failure.pattern, text)), "")
    return "\n".join([f"The step {step} failed:", *(f"  {line}" for line in told), *([remedy] if remedy else [])])
