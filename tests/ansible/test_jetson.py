"""What the parsers make of a board's files, as published and as posted by owners."""

from __future__ import annotations

import pytest
from ansible.module_utils import jetson
from ansible.module_utils.jetson import Package
from recorded import text


@pytest.mark.parametrize(
    ("release_file", "release"),
    [
        (text("orin-nano-super-36.4.3", "/etc/nv_tegra_release"), "36.4.3"),
        (text("xavier-nx-35.4.1", "/etc/nv_tegra_release"), "35.4.1"),
        ("# R39 (release), REVISION: 2.1,", "39.2.1"),
    ],
)
def test_release(release_file: str, release: str) -> None:
    found = jetson.parse_tegra_release(release_file)
    assert found is not None
    assert found["release"] == release


def test_release_tells_date_and_kernel() -> None:
    found = jetson.parse_tegra_release(text("orin-nano-super-36.4.3", "/etc/nv_tegra_release"))
    assert found == {"release": "36.4.3", "date": "Wed Jan  8 01:49:37 UTC 2025", "kernel_variant": "oot"}


@pytest.mark.parametrize("release_file", ["", "Debian GNU/Linux 12", "R36 (release)"])
def test_no_release_elsewhere(release_file: str) -> None:
    assert jetson.parse_tegra_release(release_file) is None


def test_device_tree_strings_lose_their_nul() -> None:
    raw = b"nvidia,p3768-0000+p3767-0005-super\0nvidia,tegra234\0"
    assert jetson.parse_device_tree_strings(raw) == ["nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234"]


@pytest.mark.parametrize(
    ("tnspec", "compatible", "is_super"),
    [
        ("3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-", [], True),
        ("3767-300-0005-R.1-1-0-jetson-orin-nano-devkit-super", [], True),
        ("3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-", ["nvidia,p3768-0000+p3767-0005-super"], False),
        ("3767-300-0000-H.2-1-0-recomputer-orin-j401-", ["nvidia,p3768-0000+p3767-0000-super"], True),
        ("3767-300-0000-H.2-1-0-recomputer-orin-j401-", ["nvidia,p3768-0000+p3767-0000"], False),
        ("3767-300-0000-H.2-1-0-recomputer-orin-j401-", [], False),
        (None, ["nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234"], True),
        (None, ["nvidia,p3768-0000+p3767-0005"], False),
        (None, [], None),
    ],
)
def test_super_is_what_the_board_was_flashed_with(tnspec: str | None, compatible: list[str], is_super: bool) -> None:
    assert jetson.flashed_super(tnspec, compatible) is is_super


def test_tnspec() -> None:
    conf = "TNSPEC 3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-\nCOMPATIBLE_SPEC 3767-300-0005--1--jetson-\n"
    assert jetson.parse_tnspec(conf) == "3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-"
    assert jetson.parse_tnspec("") is None


@pytest.mark.parametrize(
    ("tnspec", "compatible", "module", "family"),
    [
        ("3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-", [], "p3767-0005", "orin-nano"),
        ("3767--0003--1--jetson-orin-nano-devkit-super-", [], "p3767-0003", "orin-nano"),
        ("3767-300-0001-U.1-1-1-jetson-", ["nvidia,p3768-0000+p3767-0000-super"], "p3767-0001", "orin-nx"),
        ("custom-board", ["nvidia,p3768-0000+p3767-0004-super", "nvidia,p3767-0004"], "p3767-0004", "orin-nano"),
        (None, ["nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"], "p3701-0005", "agx-orin"),
        (None, ["maker,carrier", "nvidia,p3701-0004", "nvidia,tegra234"], "p3701-0004", "agx-orin"),
        (None, ["nvidia,p3509-0000+p3668-0001", "nvidia,tegra194"], "p3668-0001", "xavier"),
        (None, ["nvidia,p4071-0000+p3834-0008", "nvidia,tegra264"], "p3834-0008", "thor"),
        ("9999-300-0001-U.1-1-1-new-", [], "p9999-0001", None),
        (None, ["raspberrypi,4-model-b"], None, None),
    ],
)
def test_the_module_and_its_family(
    tnspec: str | None, compatible: list[str], module: str | None, family: str | None
) -> None:
    assert jetson.module_of(tnspec, compatible) == module
    assert jetson.family_of(module) == family


def installed(**versions: str) -> dict[str, Package]:
    return {name.replace("_", "-"): Package(version, held=False) for name, version in versions.items()}


def test_packages_of_one_release() -> None:
    listing = (
        "nvidia-l4t-core\t36.4.3-20250107174145\thold\tinstalled\n"
        "nvidia-l4t-kernel\t5.15.148-tegra-36.4.3-20250107174145\tinstall\tinstalled\n"
        "nvidia-l4t-gone\t36.4.0-20240912212859\tunknown\tnot-installed\n"
        "cuda-cudart-12-6\t12.6.68-1\tinstall\tinstalled\n"
    )
    packages = jetson.parse_packages(listing)
    own = jetson.l4t_packages(packages)
    assert set(packages) - set(own) == {"cuda-cudart-12-6"}
    assert own == {
        "nvidia-l4t-core": Package("36.4.3-20250107174145", held=True),
        "nvidia-l4t-kernel": Package("5.15.148-tegra-36.4.3-20250107174145", held=False),
    }
    assert jetson.package_releases(own) == ["36.4.3"]


def test_packages_of_two_releases() -> None:
    packages = installed(nvidia_l4t_core="36.4.4-20250616085344", nvidia_l4t_cuda="36.4.7-20250918154033")
    assert jetson.package_releases(packages) == ["36.4.4", "36.4.7"]


@pytest.mark.parametrize(
    ("kernel", "release"),
    [("5.15.199-tegra", "36.5.2-20260716114719"), ("6.8.12-1021-tegra", "39.2.1-20260806224157")],
)
def test_the_kernels_name_does_not_matter(kernel: str, release: str) -> None:
    packages = installed(nvidia_l4t_core=release, nvidia_l4t_kernel=f"{kernel}-{release}")
    assert jetson.package_releases(packages) == [release.partition("-")[0]]


@pytest.mark.parametrize(
    ("release", "packages", "jetpack"),
    [
        ("36.4.7", {}, "6.2.1"),
        ("40.1.0", installed(nvidia_jetpack="8.0.1-b49"), "8.0.1"),
        ("40.1.0", installed(nvidia_jetpack="8.0+b77"), "8.0"),
        ("40.1.0", {}, None),
    ],
)
def test_jetpack(release: str, packages: dict[str, Package], jetpack: str | None) -> None:
    assert jetson.jetpack_of(release, packages) == jetpack


@pytest.mark.parametrize(
    ("part", "packages", "version"),
    [
        ("cuda", installed(cuda_cudart_12_6="12.6.68-1", cuda_cudart_12_10="12.10.2-1"), "12.10.2"),
        ("cuda", installed(cuda_cudart_dev_12_6="12.6.68-1"), None),
        ("cudnn", installed(libcudnn8="8.6.0.166-1+cuda11.4"), "8.6.0.166"),
        ("cudnn", installed(libcudnn9_cuda_12="9.3.0.75-1"), "9.3.0.75"),
        ("tensorrt", installed(libnvinfer10="10.3.0.30-1+cuda12.5", libnvinfer_bin="11.0-1"), "10.3.0.30"),
        ("tensorrt", {}, None),
    ],
)
def test_the_newest_library_tells_the_version(part: str, packages: dict[str, Package], version: str | None) -> None:
    assert jetson.stack_version(part, packages) == version


def test_python_version() -> None:
    assert jetson.parse_python_version("Python 3.10.12\n") == "3.10.12"
    assert jetson.parse_python_version("") is None


def test_memory_and_swap() -> None:
    assert jetson.parse_meminfo("MemTotal:        7802880 kB\nMemAvailable: 6900000 kB\n") == {
        "MemTotal": 7_802_880 * 1024,
        "MemAvailable": 6_900_000 * 1024,
    }
    table = (
        "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition\t650240\t0\t5\n/var/maie.swap file\t65532\t12\t-2\n"
    )
    assert jetson.parse_swaps(table) == [
        {"path": "/dev/zram0", "kind": "partition", "size_bytes": 650240 * 1024, "used_bytes": 0},
        {"path": "/var/maie.swap", "kind": "file", "size_bytes": 65532 * 1024, "used_bytes": 12 * 1024},
    ]
    assert jetson.zram_of(table) == {"active": True, "total_bytes": 650240 * 1024}
    assert jetson.zram_of("Filename\n/var/zram0.swap file 1 0 0\n") == {"active": False, "total_bytes": 0}
