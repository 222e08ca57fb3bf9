"""A Jetson's properties: its board, its L4T release, its packages, its memory and temperatures.

Pure functions over text: no file is opened and no program is started here, so each can be tested with recorded
systems. Sizes are in bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JETPACK_OF_L4T = {
    "32.5.0": "4.5",
    "32.5.1": "4.5.1",
    "32.5.2": "4.5.1",
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
}
"""JetPack releases by L4T release; the meta package ``nvidia-jetpack`` may be absent, L4T never is."""

FAMILY_OF_MODULE = {
    "p3767-0000": "orin-nx",
    "p3767-0001": "orin-nx",
    "p3767-0002": "orin-nx",
    "p3767-0003": "orin-nano",
    "p3767-0004": "orin-nano",
    "p3767-0005": "orin-nano",
    "p3701": "agx-orin",
    "p3668": "xavier",
    "p2888": "xavier",
    "p3834": "thor",
}
"""Short family names, by module with or without its SKU."""

SPEC = re.compile(r"(\d{4})-(\w*)-(\d{4})-")
"""How a board specification begins: the module's board, its make, its SKU."""

STACK = {"cuda": r"cuda-cudart-\d+-\d+", "cudnn": r"libcudnn\d+(-cuda-\d+)?", "tensorrt": r"libnvinfer\d+"}
"""Packages that carry the versions of CUDA, cuDNN and TensorRT: the libraries that programs load."""


@dataclass(frozen=True)
class Package:
    """An installed package; ``held`` is what ``apt-mark hold`` sets."""

    version: str
    held: bool


def parse_tegra_release(text: str) -> dict[str, str] | None:
    """Return release, date and kernel variant from ``/etc/nv_tegra_release``, or None for any other text."""
    first = re.search(r"^# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", text, re.MULTILINE)
    if first is None:
        return None
    date = re.search(r"DATE: (.+)$", text, re.MULTILINE)
    variant = re.search(r"^# KERNEL_VARIANT: (\S+)", text, re.MULTILINE)
    return {
        "release": f"{first.group(1)}.{first.group(2)}",
        "date": date.group(1).strip() if date else "",
        "kernel_variant": variant.group(1) if variant else "",
    }


def parse_device_tree_strings(raw: bytes) -> list[str]:
    """Return the strings of a device-tree property, each of which ends with a NUL."""
    return [part.decode("utf-8", "replace") for part in raw.split(b"\0") if part]


def parse_tnspec(boot_control: str) -> str | None:
    """Return the board specification that the board was flashed with, from ``/etc/nv_boot_control.conf``."""
    match = re.search(r"^TNSPEC\s+(\S+)", boot_control, re.MULTILINE)
    return match.group(1) if match else None


def module_of(tnspec: str | None, compatible: list[str]) -> str | None:
    """Return the module and its SKU, such as ``p3767-0005``.

    The specification comes from the module's own memory. The device tree may be another SKU's: an Orin NX 8 GB (0001)
    runs with the tree of the NX 16 GB (0000).
    """
    spec = SPEC.match(tnspec or "")
    if spec:
        return f"p{spec.group(1)}-{spec.group(3)}"
    for pattern in (r"\+(p\d{4}-\d{4})", r",(p\d{4}-\d{4})(?:-super)?$"):
        for name in compatible:
            match = re.search(pattern, name)
            if match:
                return match.group(1)
    return None


def engineering_sample(tnspec: str | None) -> str | None:
    """Return the revision of an engineering sample, such as ``ES1``; modules on sale have a number, such as 300."""
    spec = SPEC.match(tnspec or "")
    make = spec.group(2) if spec else ""
    return make if make and not make.isdigit() else None


def family_of(module: str | None) -> str | None:
    """Return the short name of the module's family, None if it is unknown."""
    board = (module or "").partition("-")[0]
    return FAMILY_OF_MODULE.get(module or "", FAMILY_OF_MODULE.get(board))


def flashed_super(tnspec: str | None, compatible: list[str]) -> bool | None:
    """Whether the board has the super configuration; None where neither source says.

    The specification decides for NVIDIA's developer kits. Makers of other carrier boards choose their own names, so for
    those the device tree decides.
    """
    if tnspec is not None and ("-super" in tnspec or "-devkit" in tnspec or not compatible):
        return "-super" in tnspec
    if compatible:
        return any(name.endswith("-super") for name in compatible)
    return None


def parse_packages(dpkg_output: str) -> dict[str, Package]:
    """Return installed packages by name from lines ``package<TAB>version<TAB>wanted state<TAB>state``."""
    rows = (line.split("\t") for line in dpkg_output.splitlines() if line.count("\t") == 3)
    return {name: Package(version, want == "hold") for name, version, want, state in rows if state == "installed"}


def l4t_packages(packages: dict[str, Package]) -> dict[str, Package]:
    """Return the packages of the board-support package (BSP)."""
    return {name: package for name, package in packages.items() if name.startswith("nvidia-l4t-")}


def package_releases(packages: dict[str, Package]) -> list[str]:
    """Return the L4T releases that the packages come from, sorted.

    ``36.4.3-20250107174145`` is of 36.4.3, and so is the kernel's ``5.15.148-tegra-36.4.3-20250107174145``.
    """
    found = (re.search(r"(\d+(?:\.\d+)+)-\d+$", package.version) for package in packages.values())
    return sorted({match.group(1) for match in found if match})


def jetpack_of(release: str, packages: dict[str, Package]) -> str | None:
    """Return the JetPack release of an L4T release; for one unknown here, the meta package's."""
    if release in JETPACK_OF_L4T:
        return JETPACK_OF_L4T[release]
    meta = packages.get("nvidia-jetpack")
    match = re.match(r"\d+(\.\d+)+", meta.version) if meta else None
    return match.group(0) if match else None


def stack_version(part: str, packages: dict[str, Package]) -> str | None:
    """Return the version of ``cuda``, ``cudnn`` or ``tensorrt`` from the installed packages, the newest of several.

    ``10.3.0.30-1+cuda12.5`` is 10.3.0.30.
    """
    upstream = [
        package.version.partition("-")[0] for name, package in packages.items() if re.fullmatch(STACK[part], name)
    ]
    numbers = [version for version in upstream if re.fullmatch(r"\d+(\.\d+)*", version)]
    return max(numbers, key=lambda version: [int(digits) for digits in version.split(".")], default=None)


def parse_python_version(text: str) -> str | None:
    """Return the version that ``python3 --version`` printed."""
    match = re.match(r"Python (\d+\.\d+\.\d+)", text)
    return match.group(1) if match else None


def parse_meminfo(text: str) -> dict[str, int]:
    """Return ``/proc/meminfo`` in bytes."""
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}


def parse_swaps(text: str) -> list[dict[str, object]]:
    """Return the lines of ``/proc/swaps``: path, kind, size and use in bytes."""
    rows = (line.split() for line in text.splitlines()[1:])
    return [
        {"path": row[0], "kind": row[1], "size_bytes": int(row[2]) * 1024, "used_bytes": int(row[3]) * 1024}
        for row in rows
        if len(row) >= 4
    ]


def zram_of(swaps_text: str) -> dict[str, object]:
    """Return whether the board swaps to compressed memory, and how many bytes that holds before compression."""
    sizes = [int(kib) * 1024 for kib in re.findall(r"^/dev/zram\d+\s+\S+\s+(\d+)", swaps_text, re.MULTILINE)]
    return {"active": bool(sizes), "total_bytes": sum(sizes)}


def celsius(millidegrees: int | None) -> float | None:
    """Return a thermal zone's temperature; None for a zone whose part is powered off."""
    return None if millidegrees is None else millidegrees / 1000
