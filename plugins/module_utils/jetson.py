"""What a Jetson says of itself, read from its files and from the output of NVIDIA's programs.

Pure functions over text: no file is opened and no program is started here, so that each can be tried on recorded
systems. Frequencies are in hertz, sizes in bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

JETPACK_OF_L4T = {
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
}
"""JetPack releases by L4T release; the meta package ``nvidia-jetpack`` may be absent, L4T never is."""

GPU_LIMIT = "/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"
"""Where Orin's GPU says what clock it allows, if the board's nvpmodel configuration names no path."""

UNCAPPED = -1
"""What an nvpmodel configuration writes for "as fast as the hardware goes"."""

GPU_LIMIT_TOLERANCE = 0.03
"""A cap is rounded to the next step of the GPU's clock: 612 MHz in the configuration is 624.75 MHz on the board."""


@dataclass(frozen=True)
class PowerModel:
    """One mode of an nvpmodel configuration.

    Attributes:
        settings: Every whole-number setting by (parameter, argument), e.g. ``("GPU", "MAX_FREQ")``.
    """

    id: int
    name: str
    settings: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def gpu_max_hz(self) -> int | None:
        """The cap of the GPU's clock, :data:`UNCAPPED`, or None where the mode sets none."""
        return self.settings.get(("GPU", "MAX_FREQ"))

    @property
    def emc_max_hz(self) -> int | None:
        """The cap of the memory's clock; as with :attr:`gpu_max_hz`."""
        return self.settings.get(("EMC", "MAX_FREQ"))

    @property
    def cores(self) -> int:
        """How many CPU cores the mode leaves on."""
        return sum(value for (parameter, _), value in self.settings.items() if parameter == "CPU_ONLINE")


@dataclass(frozen=True)
class PowerModels:
    """One nvpmodel configuration: its modes, its default's id, and where each clock says its limit."""

    models: tuple[PowerModel, ...]
    default_id: int | None
    gpu_limit_paths: tuple[str, ...]

    def find(self, wanted: str) -> PowerModel | None:
        """Return the mode of this name or, if ``wanted`` is a number, of this id."""
        for model in self.models:
            if wanted.upper() == model.name.upper():
                return model
        for model in self.models:
            if wanted == str(model.id):
                return model
        return None

    def describe(self) -> str:
        """Return the modes as a person reads them: ``15W (0), 25W (1), MAXN_SUPER (2)``."""
        return ", ".join(f"{model.name} ({model.id})" for model in self.models)


def parse_tegra_release(text: str) -> dict[str, str] | None:
    """Return release, date and kernel variant of ``/etc/nv_tegra_release``, or None if it is not one."""
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
    """Return the strings of a device-tree property, which ends each of them with a NUL."""
    return [part.decode("utf-8", "replace") for part in raw.split(b"\0") if part]


def parse_tnspec(boot_control: str) -> str | None:
    """Return the board specification that the board was flashed with, from ``/etc/nv_boot_control.conf``."""
    match = re.search(r"^TNSPEC\s+(\S+)", boot_control, re.MULTILINE)
    return match.group(1) if match else None


def flashed_super(tnspec: str | None, compatible: list[str]) -> bool | None:
    """Whether the board has the super configuration; None where neither source is there to say."""
    if tnspec is not None:
        return "-super" in tnspec
    if compatible:
        return any(name.endswith("-super") for name in compatible)
    return None


def parse_power_models(text: str) -> PowerModels:
    """Return the modes that an nvpmodel configuration defines; a text without any gives an empty tuple."""
    models: list[PowerModel] = []
    default_id: int | None = None
    gpu_paths: dict[str, str] = {}
    section = ""
    for line in (raw.strip() for raw in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        header = re.match(r"<\s*(\w+)\s+(.*?)\s*>$", line)
        if header:
            section = header.group(1)
            attributes = dict(re.findall(r"(\w+)=(\S+)", header.group(2)))
            if section == "POWER_MODEL":
                models.append(PowerModel(int(attributes["ID"]), attributes["NAME"]))
            elif section == "PARAM":
                section = f"PARAM {attributes.get('NAME', '')}"
            elif section == "PM_CONFIG" and attributes.get("DEFAULT", "").isdigit():
                default_id = int(attributes["DEFAULT"])
            continue
        words = line.split()
        if section == "POWER_MODEL" and len(words) == 3 and re.fullmatch(r"-?\d+", words[2]):
            models[-1].settings[(words[0], words[1])] = int(words[2])
        elif section == "PARAM GPU" and len(words) == 2:
            gpu_paths[words[0]] = words[1]
    # KNEXT names the paths of the newer kernel, the only one that JetPack 6 ships.
    paths = tuple(gpu_paths[name] for name in ("MAX_FREQ_KNEXT", "MAX_FREQ") if name in gpu_paths)
    return PowerModels(tuple(models), default_id, paths or (GPU_LIMIT,))


def parse_current_mode(query_output: str) -> tuple[int, str] | None:
    """Return id and name of the mode that ``nvpmodel -q`` printed; warnings around them don't matter."""
    name = re.search(r"NV Power Mode:\s*(\S+)", query_output)
    ids = re.findall(r"^\s*(\d+)\s*$", query_output, re.MULTILINE)
    if name is None or not ids:
        return None
    return int(ids[-1]), name.group(1)


def parse_persisted_mode(status: str) -> int | None:
    """Return the mode id that ``/var/lib/nvpmodel/status`` keeps for the next boot."""
    match = re.search(r"pmode:(\d+)", status)
    return int(match.group(1)) if match else None


def persist_mode(status: str, mode_id: int) -> str:
    """Return the status file's text with another mode, and all else in it as it was."""
    entry = f"pmode:{mode_id:04d}"
    if parse_persisted_mode(status) is None:
        return f"{entry} {status}".strip() + "\n"
    return re.sub(r"pmode:\d+", entry, status, count=1)


def asks_for_reboot(output: str) -> bool:
    """Whether nvpmodel said that the mode needs a reboot; without a "yes" it has changed nothing."""
    return re.search(r"reboot required|want to reboot now", output, re.IGNORECASE) is not None


def limit_problem(models: PowerModels, model: PowerModel, real_hz: int) -> str | None:
    """Return what is wrong with the GPU's real limit under this mode, or None.

    A capped mode must show its cap. An uncapped one must allow at least what every capped mode allows: a board that
    was flashed without the super configuration reports MAXN_SUPER and stays at the clock of the old 15 W mode.
    """
    cap = model.gpu_max_hz
    if cap is None:
        return None
    if cap == UNCAPPED:
        caps = [m.gpu_max_hz for m in models.models if m.gpu_max_hz is not None and m.gpu_max_hz > 0]
        least = max(caps, default=0)
        if real_hz < least * (1 - GPU_LIMIT_TOLERANCE):
            return f"the GPU allows {real_hz / 1e6:.0f} MHz, less than the {least / 1e6:.0f} MHz of a slower mode"
        return None
    if abs(real_hz - cap) > cap * GPU_LIMIT_TOLERANCE:
        return f"the GPU allows {real_hz / 1e6:.0f} MHz, not the mode's {cap / 1e6:.0f} MHz"
    return None


def parse_packages(dpkg_output: str) -> dict[str, str]:
    """Return installed packages by name from lines ``package<TAB>version<TAB>status``."""
    rows = (line.split("\t") for line in dpkg_output.splitlines() if line.count("\t") == 2)
    return {name: version for name, version, status in rows if status == "installed"}


def package_releases(packages: dict[str, str]) -> list[str]:
    """Return the L4T releases that the packages come from, sorted.

    ``36.4.3-20250107174145`` is of 36.4.3, and so is the kernel's ``5.15.148-tegra-36.4.3-20250107174145``.
    """
    found = (re.search(r"(\d+(?:\.\d+)+)-\d+$", version) for version in packages.values())
    return sorted({match.group(1) for match in found if match})


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
