"""A Jetson's power modes: nvpmodel's configuration, its output and state, and whether a mode really took effect.

Pure functions over text, as in ``jetson``. Frequencies are in hertz.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GPU_FOLDERS = ("/sys/devices/platform/17000000.gpu/devfreq_dev", "/sys/class/devfreq/gpu-gpc-0")
"""Clock files of Orin's and Thor's GPU, for a board whose nvpmodel configuration names no path."""

EMC_LIMITS = ("/sys/kernel/nvpmodel_clk_cap/emc", "/sys/class/devfreq/bwmgr/max_freq")
"""The same for the limit of the memory clock."""

UNCAPPED = -1
"""A configuration's value for "as fast as the hardware goes"; for the memory clock it may also be 0."""

TOLERANCE = 0.03
"""A cap is rounded to the clock's next step: 612 MHz in the configuration may be 624.75 MHz on the board."""


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
        """The cap of the GPU clock, :data:`UNCAPPED`, or None where the mode sets none."""
        return self.settings.get(("GPU", "MAX_FREQ"))

    @property
    def emc_max_hz(self) -> int | None:
        """The cap of the memory clock; like :attr:`gpu_max_hz`."""
        cap = self.settings.get(("EMC", "MAX_FREQ"))
        return UNCAPPED if cap == 0 else cap

    @property
    def cores(self) -> int:
        """How many CPU cores the mode leaves on."""
        return sum(value for (parameter, _), value in self.settings.items() if parameter == "CPU_ONLINE")


@dataclass(frozen=True)
class PowerModels:
    """One nvpmodel configuration: its modes, the default's id, and the files of each clock's limit, best first."""

    models: tuple[PowerModel, ...]
    default_id: int | None
    gpu_limit_paths: tuple[str, ...]
    gpu_table_paths: tuple[str, ...]
    emc_limit_paths: tuple[str, ...]

    def find(self, wanted: str) -> PowerModel | None:
        """Return the mode of this name or, if ``wanted`` is a number, with this id."""
        for model in self.models:
            if wanted.upper() == model.name.upper():
                return model
        for model in self.models:
            if wanted == str(model.id):
                return model
        return None

    def describe(self) -> str:
        """Return the modes in readable form: ``15W (0), 25W (1), MAXN_SUPER (2)``."""
        return ", ".join(f"{model.name} ({model.id})" for model in self.models)

    @property
    def fastest_gpu_cap(self) -> int:
        """The highest GPU clock of a capped mode; 0 if no mode is capped."""
        return max((model.gpu_max_hz or 0 for model in self.models), default=0)

    @property
    def fastest_emc_cap(self) -> int:
        """The highest memory clock of a capped mode; 0 if no mode is capped."""
        return max((model.emc_max_hz or 0 for model in self.models), default=0)


@dataclass(frozen=True)
class Limits:
    """The board's real limits now; None where one can't be read.

    Attributes:
        emc_hz: 0 where no cap is set.
        gpu_ceiling_hz: The GPU's fastest clock of all.
    """

    gpu_hz: int | None
    emc_hz: int | None
    gpu_ceiling_hz: int | None


@dataclass(frozen=True)
class Clock:
    """A clock from ``jetson_clocks --show``; ``override`` is None where it prints none (JetPack 7 on Orin)."""

    min_hz: int
    max_hz: int
    current_hz: int
    override: bool | None


def parse_power_models(text: str) -> PowerModels:
    """Return the modes of an nvpmodel configuration; an empty tuple for a text without any."""
    models: list[PowerModel] = []
    default_id: int | None = None
    paths: dict[tuple[str, str], str] = {}
    section = name = ""
    for line in (raw.partition("#")[0].strip() for raw in text.splitlines()):
        if not line:
            continue
        header = re.match(r"<\s*(\w+)\s+(.*?)\s*>$", line)
        if header:
            section = header.group(1)
            attributes = dict(re.findall(r"(\w+)=(\S+)", header.group(2)))
            name = attributes.get("NAME", "")
            if section == "POWER_MODEL" and attributes.get("ID", "").isdigit():
                models.append(PowerModel(int(attributes["ID"]), name))
            elif section == "POWER_MODEL":
                section = ""
            elif section == "PM_CONFIG" and attributes.get("DEFAULT", "").isdigit():
                default_id = int(attributes["DEFAULT"])
            continue
        words = line.split()
        if section == "POWER_MODEL" and len(words) == 3 and re.fullmatch(r"-?\d+", words[2]):
            models[-1].settings[(words[0], words[1])] = int(words[2])
        elif section == "PARAM" and len(words) == 2:
            paths[(name, words[0])] = words[1]

    def named(parameter: str, argument: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
        # KNEXT names the newer kernel's paths, the only kernel that JetPack 6 ships.
        found = (paths.get((parameter, f"{argument}{suffix}")) for suffix in ("_KNEXT", ""))
        return tuple(dict.fromkeys([path for path in found if path] + list(otherwise)))

    return PowerModels(
        tuple(models),
        default_id,
        named("GPU", "MAX_FREQ", tuple(f"{folder}/max_freq" for folder in GPU_FOLDERS)),
        named("GPU", "FREQ_TABLE", tuple(f"{folder}/available_frequencies" for folder in GPU_FOLDERS)),
        named("EMC", "MAX_FREQ", EMC_LIMITS),
    )


def parse_current_mode(query_output: str) -> tuple[int, str] | None:
    """Return id and name of the mode in the output of ``nvpmodel -q``, on one line or two.

    Warnings around them are ignored.
    """
    name = re.search(r"NV Power Mode:[ \t]*(\S+)(?:[ \t]+(\d+))?[ \t]*$", query_output, re.MULTILINE)
    if name is None:
        return None
    ids = [name.group(2)] if name.group(2) else re.findall(r"^\s*(\d+)\s*$", query_output, re.MULTILINE)
    return (int(ids[-1]), name.group(1)) if ids else None


def parse_persisted_mode(status: str) -> int | None:
    """Return the mode id that ``/var/lib/nvpmodel/status`` has for the next boot."""
    match = re.search(r"pmode:(\d+)", status)
    return int(match.group(1)) if match else None


def persist_mode(status: str, mode_id: int) -> str:
    """Return the status file's text with another mode, otherwise unchanged."""
    entry = f"pmode:{mode_id:04d}"
    if parse_persisted_mode(status) is None:
        return f"{entry} {status}".strip() + "\n"
    return re.sub(r"pmode:\d+", entry, status, count=1)


def asks_for_reboot(output: str) -> bool:
    """Whether nvpmodel said that the mode needs a reboot; without a "yes" it changes nothing."""
    return re.search(r"reboot required|want to reboot now", output, re.IGNORECASE) is not None


def failure_of(output: str) -> str | None:
    """Return the error message of ``nvpmodel -m``, whose exit status may be 0 even then."""
    failed = re.search(r"failed to set power mode|request for bad power mode", output)
    if failed is None:
        return None
    return "; ".join(re.findall(r"^NVPM ERROR: .*\S", output, re.MULTILINE)) or failed.group(0)


def parse_clocks(show_output: str) -> dict[str, Clock]:
    """Return the clocks ``gpu`` and ``emc`` from ``jetson_clocks --show``; those not printed are missing."""
    clocks = {}
    for name, pattern in (("gpu", "GPU|gpu-gpc-0"), ("emc", "EMC")):
        found = re.search(
            rf"^(?:{pattern}) MinFreq=(\d+) MaxFreq=(\d+) CurrentFreq=(\d+)(?: FreqOverride=([01]))?",
            show_output,
            re.MULTILINE,
        )
        if found:
            override = None if found.group(4) is None else found.group(4) == "1"
            clocks[name] = Clock(int(found.group(1)), int(found.group(2)), int(found.group(3)), override)
    return clocks


def clocks_pinned(clocks: dict[str, Clock]) -> bool | None:
    """Whether GPU and memory are pinned at their highest clocks; None where that is unknown."""
    gpu, emc = clocks.get("gpu"), clocks.get("emc")
    if gpu and gpu.min_hz < gpu.max_hz:
        return False
    if gpu is None or emc is None:
        return None
    return emc.min_hz == emc.max_hz if emc.override is None else emc.override


def pinned_below_limit(clocks: dict[str, Clock], limit_hz: int | None) -> int | None:
    """Return the clock of a GPU that runs below the limit to which it is pinned, else None."""
    gpu = clocks.get("gpu")
    if gpu is None or limit_hz is None or min(gpu.min_hz, gpu.max_hz) < limit_hz * (1 - TOLERANCE):
        return None
    return gpu.current_hz if gpu.current_hz < limit_hz * (1 - TOLERANCE) else None


def gpu_lacks(models: PowerModels, model: PowerModel, limits: Limits) -> int | None:
    """Return this mode's clock if the GPU does not have it at all, or None.

    This reveals a board that was flashed without the super configuration and whose ``/etc/nvpmodel.conf`` was linked
    to the super one afterwards: nvpmodel accepts and reports the mode, and nothing becomes faster.
    """
    wanted = models.fastest_gpu_cap if model.gpu_max_hz == UNCAPPED else model.gpu_max_hz
    if wanted is None or limits.gpu_ceiling_hz is None or limits.gpu_ceiling_hz >= wanted * (1 - TOLERANCE):
        return None
    return wanted


def limit_problem(models: PowerModels, model: PowerModel, limits: Limits) -> str | None:
    """Return what is wrong with the real limits of GPU and memory under this mode, or None.

    A capped clock must have its cap as limit. An uncapped one must allow the hardware's full speed or, where that is
    unknown, at least what every capped mode allows.
    """
    gpu = _clock_problem("GPU", model.gpu_max_hz, limits.gpu_hz, models.fastest_gpu_cap, limits.gpu_ceiling_hz)
    if gpu:
        return gpu
    if limits.emc_hz == 0:
        cap = model.emc_max_hz
        capped = cap is not None and cap != UNCAPPED
        return "the memory has no limit although the mode sets one" if capped else None
    return _clock_problem("memory", model.emc_max_hz, limits.emc_hz, models.fastest_emc_cap, None)


def _clock_problem(part: str, cap: int | None, real_hz: int | None, fastest: int, ceiling: int | None) -> str | None:
    """Return what is wrong with one clock; None also where there is no cap, or no real limit to compare with."""
    if cap is None or real_hz is None:
        return None
    allows = f"the {part} allows {real_hz / 1e6:.0f} MHz"
    if cap != UNCAPPED:
        wrong = abs(real_hz - cap) > cap * TOLERANCE
        return f"{allows}, not the mode's {cap / 1e6:.0f} MHz" if wrong else None
    if real_hz < fastest * (1 - TOLERANCE):
        return f"{allows}, less than the {fastest / 1e6:.0f} MHz of a slower mode"
    if ceiling is not None and real_hz < ceiling * (1 - TOLERANCE):
        return f"{allows}, not its full {ceiling / 1e6:.0f} MHz"
    return None
