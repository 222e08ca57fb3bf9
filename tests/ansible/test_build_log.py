"""What a person is shown of a build: how far it is, and what went wrong in the tools' own words."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import build_log
import gpu_code
import pytest

# The action plugin has the name of its module.
ACTION = Path(__file__).parents[2] / "plugins/action/wheel_build.py"
spec = importlib.util.spec_from_file_location("wheel_build_action", ACTION)
assert spec
assert spec.loader
action = importlib.util.module_from_spec(spec)
spec.loader.exec_module(action)


def test_ninja_tells_count_share_and_time_left() -> None:
    progress = action.Progress()
    assert progress.feed("=== step compile (3 of 6)\n[1/200] Building\n", 0) == [
        "compile (step 3 of 6)",
        "compile: 1 of 200, 0 %",
    ]
    assert progress.feed("[2/200] Building\n[3/2", 10) == []
    assert progress.feed("00] Building\n[21/200] Building\n", 60) == ["compile: 21 of 200, 10 %, about 9 min left"]


def test_make_tells_its_share() -> None:
    progress = action.Progress()
    progress.feed("=== step compile (3 of 6)\n[  0%] Building\n", 0)
    assert progress.feed("[ 50%] Building CXX object\n[ 52%] Building CXX object\n", 30) == [
        "compile: 50 %, about 30 s left"
    ]


def test_of_shares_at_once_the_last_is_shown() -> None:
    progress = action.Progress()
    assert progress.feed("=== step compile (3 of 6)\n[ 10%] Building\n[ 20%] Building\n[ 40%] Building\n", 0) == [
        "compile (step 3 of 6)",
        "compile: 40 %",
    ]
    assert progress.feed("[100%] Linking\n=== step install (4 of 6)\n", 9) == [
        "compile: 100 %",
        "install (step 4 of 6)",
    ]


def test_resumed_build_counts_from_where_it_was() -> None:
    progress = action.Progress()
    progress.feed("=== step compile (3 of 6)\n[ 80%] Building\n", 100)
    assert progress.feed("[ 90%] Building\n", 160) == ["compile: 90 %, about 1 min left"]


@pytest.mark.parametrize(
    ("log", "told", "remedy"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus\n", "cc1plus", "wheelhouse_swap_mb"),
        (
            "CMake Error at CMakeLists.txt:42 (message):\n  MKL include directory not found\n",
            "  MKL include directory not found",
            "WITH_MKL=OFF",
        ),
        (
            "CMake Error at CMakeLists.txt:73 (add_subdirectory):\n  The source directory\n\n"
            "    /b/third_party/spdlog\n\n  does not contain a CMakeLists.txt file.\n",
            "third_party/spdlog",
            "submodule",
        ),
        (
            "CMake Error at CMakeLists.txt:1 (cmake_minimum_required):\n"
            "  Compatibility with CMake < 3.5 has been removed from CMake.\n",
            "has been removed",
            "below 4",
        ),
        (
            "CMake Error at CMakeLists.txt:17 (add_subdirectory):\n"
            '  add_subdirectory given source "third_party/numbers"\n'
            "  which is not an\n  existing directory.\n-- Found OpenMP: TRUE\n",
            "third_party/numbers",
            "submodule",
        ),
        ("/tmp/x.s: fatal error: can't write: No space left on device\n", "No space", "disk is full"),
        ("make: warning:  Clock skew detected.  Your build may be incomplete.\nfoo.o: error: bad\n", "bad", "clock"),
        (
            "/usr/bin/ld: warning: no\n/usr/bin/ld: layer_9.cc.o: file not recognized: file truncated\n"
            "collect2: error: ld returned 1 exit status\n",
            "layer_9.cc.o",
            "truncated, perhaps",
        ),
        (
            "/usr/bin/ld:layer_9.cc.o: file format not recognized; treating as linker script\n",
            "layer_9.cc.o",
            "truncated, perhaps",
        ),
        ("a.cc:3:5: error: 'x' was not declared in this scope\n", "a.cc:3:5", ""),
    ],
)
def test_failure_in_the_tools_words_with_its_remedy(log: str, told: str, remedy: str) -> None:
    text = build_log.explain("compile", f"[ 10%] Building CXX object a.o\n{log}make: *** [all] Error 2\n")
    assert text.startswith("The step compile failed:")
    assert told in text
    assert remedy in text.splitlines()[-1]
    assert "Building CXX object" not in text
    assert "-- Found" not in text
    assert "warning: no" not in text


def library(*architectures: tuple[int, int]) -> bytes:
    """Return an ELF file whose section .nv_fatbin has a container with an entry for each (kind, architecture)."""
    entries = b"".join(
        struct.pack("<HHIQIIHHI", kind, 0x101, 64, 24, 0, 0, 0, 0, arch) + bytes(32) + b"code" * 6
        for kind, arch in architectures
    )
    section = bytes(16) + struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries
    names = b"\0.nv_fatbin\0.shstrtab\0"
    headers = [(0, 0, 0), (1, 64, len(section)), (12, 64 + len(section), len(names))]
    table = b"".join(struct.pack("<IIQQQQ", name, 1, 0, 0, at, size) + bytes(24) for name, at, size in headers)
    start = b"\x7fELF\x02\x01" + bytes(0x28 - 6) + struct.pack("<Q", 64 + len(section) + len(names))
    start += bytes(0x3A - len(start)) + struct.pack("<HHH", 64, 3, 2)
    return start + section + names + table


def test_gpu_architectures_are_read_from_the_library() -> None:
    code = gpu_code.architectures(library((2, 80), (2, 87), (2, 87), (1, 87)))
    assert code == {"sm_80": 1, "sm_87": 2, "compute_87": 1}
    assert not gpu_code.architectures(b"no library")


def test_gpu_architectures_of_a_real_library() -> None:
    """The package index's x86 build of CTranslate2, which is in the environment, has code for servers and no Jetson."""
    import ctranslate2

    libraries = Path(ctranslate2.__file__).parent.with_name("ctranslate2.libs")
    code = gpu_code.of_folder(libraries)
    assert code["sm_80"] > 0
    assert code["sm_87"] == 0
