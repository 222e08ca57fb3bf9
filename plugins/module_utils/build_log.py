"""What the log of a failed build tells: what the compiler said, and what helps against it."""

from __future__ import annotations

import re
from dataclasses import dataclass

ERROR_LINE = re.compile(
    r"(\berror:|\bfatal error\b|CMake Error|^ERROR\b|^E: |Error:|Killed|internal compiler error|undefined reference"
    r"|\bld:(?! ?warning)|No space left|No rule to make|[Cc]lock skew|cannot find)"
)
SHOWN_LINES = 8
AFTER_CMAKE_ERROR = 4
"""CMake writes its sentence below the line with the place."""


@dataclass(frozen=True)
class Failure:
    """A pattern of a log, and the remedy for what it shows."""

    pattern: str
    remedy: str


FAILURES = (
    Failure(
        r"No space left on device|[Dd]isk quota exceeded",
        "The builder's disk is full: free some of it, or set wheelhouse_build_dir to a bigger one. What was compiled "
        "is kept.",
    ),
    Failure(
        r"Killed signal|\bKilled\b|out of memory|[Cc]annot allocate memory|virtual memory exhausted|std::bad_alloc",
        "The compiler ran out of memory: set wheelhouse_jobs lower, allow swap with wheelhouse_swap_mb, or build on a "
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
        "A submodule is missing: the source must be a git commit with submodules, or an archive that holds them.",
    ),
    Failure(
        r"Compatibility with CMake < 3\.5 has been removed|FindCUDA module has been removed|CMP0146",
        "This CMake is too new for the source: use one below 4, as the distribution's package is (cmake<4 from pip).",
    ),
    Failure(
        r"[Cc]lock skew|has modification time .* in the future",
        "The builder's clock was wrong while it built: set it right, remove the build folder and run again.",
    ),
    Failure(
        r"file (format )?not recognized|file truncated|malformed archive",
        "A file of the build was cut short, by a power cut maybe: remove the build folder and run again.",
    ),
    Failure(
        r"No CUDA toolset found|Specify CUDA_TOOLKIT_ROOT_DIR|CUDA_TOOLKIT_ROOT_DIR not found|nvcc: not found"
        r"|CUDA_HOME is not set|Could NOT find CUDA",
        "The CUDA toolkit is missing on the builder: install JetPack's (nvidia-jetpack), or build where it is.",
    ),
)
"""The most telling first: a log may hold several."""


def errors(log: str) -> list[str]:
    """Return the first lines in which compiler, linker or CMake say what is wrong."""
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
    """Return what a person needs to know of a failed step: the tools' own words, then the remedy where one is known."""
    told = errors(log) or [line for line in log.splitlines() if line.strip()][-SHOWN_LINES:]
    # CMake breaks its sentences into lines.
    text = re.sub(r"\s+", " ", log)
    remedy = next((failure.remedy for failure in FAILURES if re.search(failure.pattern, text)), "")
    return "\n".join([f"The step {step} failed:", *(f"  {line}" for line in told), *([remedy] if remedy else [])])
