"""The L4T release of the board: /etc/nv_tegra_release and the versions of the nvidia-l4t packages."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from maie_virtual.faults import fault
from maie_virtual.paths import device

STOCK = "36.4.3"
PACKAGES = "/usr/lib/maie-virtual/l4t-packages"
# What a stopped upgrade leaves at another release; nvidia-l4t-core, which brings nv_tegra_release, is not among them.
UPGRADED = ("nvidia-l4t-cuda", "nvidia-l4t-kernel", "nvidia-l4t-multimedia")


@dataclass(frozen=True)
class Release:
    """What tells one L4T release from another."""

    build: str
    kernel: str
    gcid: str
    date: str


RELEASES = {
    "35.4.1": Release("20230801124926", "5.10.120-tegra", "33958178", "Tue Aug  1 19:57:35 UTC 2023"),
    "36.4.3": Release("20250107174145", "5.15.148-tegra", "38968081", "Wed Jan  8 01:49:37 UTC 2025"),
    "36.4.4": Release("20250616085344", "5.15.148-tegra", "41062509", "Mon Jun 16 16:07:13 UTC 2025"),
    "36.4.7": Release("20250918154033", "5.15.148-tegra", "42132812", "Thu Sep 18 22:54:44 UTC 2025"),
    "36.5.0": Release("20260115194252", "5.15.185-tegra", "43688277", "Fri Jan 16 03:50:45 UTC 2026"),
    "36.5.2": Release("20260716114719", "5.15.199-tegra", "46426093", "Thu Jul 16 18:56:22 UTC 2026"),
    "38.4.0": Release("20251230160601", "6.8.12-tegra", "43443517", "Wed Dec 31 00:30:00 UTC 2025"),
    "39.2.1": Release("20260806224157", "6.8.12-1021-tegra", "46758480", "Fri Aug  7 05:54:22 AM UTC 2026"),
}


def tegra_release(name: str) -> str:
    """The text of /etc/nv_tegra_release under a release."""
    release, (number, _, revision) = RELEASES[name], name.partition(".")
    board = "t186ref" if number == "35" else "generic"
    lines = [
        f"# R{number} (release), REVISION: {revision}, GCID: {release.gcid}, BOARD: {board}, EABI: aarch64, "
        f"DATE: {release.date}"
    ]
    if number != "35":
        lines += ["# KERNEL_VARIANT: oot", "TARGET_USERSPACE_LIB_DIR=nvidia"]
        lines += ["TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia"]
    if number == "38":
        lines += ["INSTALL_TYPE="]
    return "\n".join(lines) + "\n"


def jetpack() -> int:
    """The number of the JetPack whose programs the board has: 5, 6 or 7."""
    number = re.match(r"# R(\d+)", device("/etc/nv_tegra_release").read_text())
    return {"35": 5, "36": 6}.get(number[1] if number else "", 7)


def package_versions(name: str) -> dict[str, str]:
    """Package → version under a release; the kernel's packages carry the kernel's version in front."""
    release = RELEASES[name]
    forms = {"release": f"{name}-{release.build}", "kernel": f"{release.kernel}-{name}-{release.build}"}
    rows = (line.split() for line in device(PACKAGES).read_text().splitlines())
    return {package: forms.get(form, form) for package, form in rows}


def with_versions(status: str, versions: dict[str, str]) -> str:
    """The text of dpkg's status file with other versions of the packages that are named."""
    stanzas = status.split("\n\n")
    for place, stanza in enumerate(stanzas):
        package = re.search(r"^Package: (\S+)$", stanza, re.MULTILINE)
        if package and package[1] in versions:
            stanzas[place] = re.sub(r"(?m)^Version: .*$", f"Version: {versions[package[1]]}", stanza)
    return "\n\n".join(stanzas)


def apply_faults() -> None:
    """Give the board the release of the faults `l4t_release` and `mixed_bsp`; without them all stays as it is."""
    wanted, mixed = fault("l4t_release"), fault("mixed_bsp")
    if not wanted and not mixed:
        return
    name = str(wanted or STOCK)
    if name not in RELEASES:
        raise SystemExit(f"The fault l4t_release knows {', '.join(RELEASES)}, not {name}.")
    device("/etc/nv_tegra_release").write_text(tegra_release(name))
    versions = package_versions(name)
    if mixed:
        newer = package_versions("36.4.4" if name == "36.4.7" else "36.4.7")
        versions |= {package: newer[package] for package in UPGRADED}
    status = device("/var/lib/dpkg/status")
    new = status.with_name("status.maie-virtual")
    new.write_text(with_versions(status.read_text(), versions))
    new.replace(status)


def main() -> None:
    """Print the packages of the stock release, one `name version` a line, and write its nv_tegra_release."""
    device("/etc/nv_tegra_release").write_text(tegra_release(STOCK))
    for package, version in package_versions(STOCK).items():
        print(package, version)


if __name__ == "__main__":
    sys.exit(main())
