"""Filter of preflight: whether a board's L4T release is supported, and what to report about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

PLATFORMS = {
    "32": "Ubuntu 18.04, Python 3.6, CUDA 10.2",
    "35": "Ubuntu 20.04, Python 3.8, CUDA 11.4",
    "38": "Ubuntu 24.04, Python 3.12, CUDA 13.0",
    "39": "Ubuntu 24.04, Python 3.12, CUDA 13.2",
}
"""What an L4T release brings, by its first number."""

MISSING = {
    "32": "the service needs Python 3.10 and CUDA 12",
    "35": "the service needs Python 3.10 and CUDA 12",
    "38": "the toolkit has no lock of packages for Python 3.12 on aarch64 and no recipe of CTranslate2 for CUDA 13 yet",
    "39": "the toolkit has no lock of packages for Python 3.12 on aarch64 and no recipe of CTranslate2 for CUDA 13 yet",
}
"""Why a release is not supported, by its first number."""

UPGRADE = "Let apt bring the board to the newest (docs/operations.md), or flash it (docs/flashing.md)."
FLASH = "Flash the board with one of them (docs/flashing.md)."
NO_WAY = "The board can't have one of them: JetPack 6 is for Orin modules."


def l4t_verdict(facts: Mapping[str, Any], supported: Sequence[str], refused: Mapping[str, str]) -> dict[str, Any]:
    """Return ``ok`` (bool), and ``message``: why it is refused, or a note; empty if there is neither.

    A newer patch of a supported line (36.5.3 where 36.5.2 is supported) is accepted. Another line (36.6) is not, nor is
    a release older than the oldest supported one of its line.

    Args:
        facts: A Jetson's facts from the module ``jetson_facts``.
        supported: Releases that were tried, such as ``36.5.2``.
        refused: Reasons by release; they override everything else.
    """
    release, jetpack = facts["l4t"]["release"], facts["l4t"]["jetpack"]
    major = release.partition(".")[0]
    told = ": ".join(part for part in (f"JetPack {jetpack}" if jetpack else "", PLATFORMS.get(major, "")) if part)
    named = f"L4T {release} ({told})" if told else f"L4T {release}"
    if release in refused:
        return {"ok": False, "message": f"{named}: {refused[release]}."}
    if release in supported:
        return {"ok": True, "message": ""}
    line = [known for known in supported if _line(known) == _line(release)]
    before = [known for known in line if _numbers(known) < _numbers(release)]
    if before:
        worse = [known for known in refused if _line(known) == _line(release) and _numbers(known) < _numbers(release)]
        doubt = "".join(f" {known} before it is refused: {refused[known]}." for known in worse)
        latest = max(before, key=_numbers)
        return {"ok": True, "message": f"{named}, newer than {latest}, which was tried.{doubt}"}
    older = bool(line) or _numbers(release) < min(map(_numbers, supported))
    why = "older than the toolkit supports" if older else "of an untried line"
    name = facts["board"]["name"]
    if name is not None and "orin" not in name:
        remedy = NO_WAY
    else:
        remedy = UPGRADE if older and any(known.startswith(f"{major}.") for known in supported) else FLASH
    message = f"{named}: {MISSING.get(major, why)}. Supported are {', '.join(supported)}. {remedy}"
    return {"ok": False, "message": message}


def _numbers(release: str) -> list[int]:
    """Return a release in comparable form: 36.10 comes after 36.9."""
    return [int(digits) for digits in release.split(".")]


def _line(release: str) -> list[int]:
    """Return a release's line: 36.5 for 36.5.2."""
    return _numbers(release)[:2]


class FilterModule:
    """The filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"l4t_verdict": l4t_verdict}
