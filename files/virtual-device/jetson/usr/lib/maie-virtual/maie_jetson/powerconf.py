"""Reader of nvpmodel.conf, for all doubles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SECTION = re.compile(r"^<\s*(PARAM|POWER_MODEL|PM_CONFIG|FAN_CONFIG)\s+(.*?)\s*>$")


SEVEN_WATTS = 3
CORES = 6


@dataclass
class Mode:
    """A power model: settings as (parameter, argument, value)."""

    id: int
    name: str
    settings: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class PowerConf:
    """A whole file: parameter → argument → path, the modes by id, the default mode's id."""

    paths: dict[str, dict[str, str]]
    modes: dict[int, Mode]
    default: int

    def path(self, parameter: str, argument: str) -> str:
        """The kernel file of an argument; kernels since 5.15 have the paths of the arguments in _KNEXT."""
        arguments = self.paths[parameter]
        return arguments.get(f"{argument}_KNEXT", arguments[argument])


def parse(text: str) -> PowerConf:
    """Read the text of an nvpmodel.conf; raises ValueError when it has no default mode among its modes."""
    conf = PowerConf({}, {}, -1)
    parameter: dict[str, str] | None = None
    mode: Mode | None = None
    for raw in text.splitlines():
        line = raw.split("#")[0].strip()
        if not line:
            continue
        section = SECTION.match(line)
        if section:
            attributes = dict(word.split("=", 1) for word in section[2].split())
            parameter = mode = None
            if section[1] == "PARAM":
                parameter = conf.paths.setdefault(attributes["NAME"], {})
            elif section[1] == "POWER_MODEL":
                mode = Mode(int(attributes["ID"]), attributes["NAME"])
                conf.modes[mode.id] = mode
            elif section[1] == "PM_CONFIG":
                conf.default = int(attributes["DEFAULT"])
        elif parameter is not None:
            argument, path = line.split()
            parameter[argument] = path
        elif mode is not None:
            name, argument, value = line.split()
            mode.settings.append((name, argument, int(value)))
    if conf.default not in conf.modes:
        raise ValueError("no default mode among the power models")
    return conf


def section_of(text: str, number: int) -> str:
    """The lines of one power model, up to the next section or comment; empty where there is none."""
    found = re.search(rf"^< POWER_MODEL ID={number} .*?(?=^[<#])", text, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def model(number: int, name: str, *, cores: int, mask: int, cpu: int, gpu: int, emc: int) -> str:
    """The lines of a power model: cores that are on, mask of the GPU's parts, highest kHz and Hz (-1: no limit)."""
    lines = [f"< POWER_MODEL ID={number} NAME={name} >"]
    lines += [f"CPU_ONLINE CORE_{core} {int(core < cores)}" for core in range(CORES)]
    lines += [f"TPC_POWER_GATING TPC_PG_MASK {mask}"]
    for core in range(CORES):
        lines += [f"CPU_A78_{core} MIN_FREQ 729600", f"CPU_A78_{core} MAX_FREQ {cpu}"]
    lines += ["GPU MIN_FREQ 0", f"GPU MAX_FREQ {gpu}", f"EMC MAX_FREQ {emc}"]
    return "\n".join(lines) + "\n\n"


def seven_watts(number: int) -> str:
    """The mode 7W, which leaves four cores and half of the GPU on and so needs a reboot."""
    return model(number, "7W", cores=4, mask=252, cpu=960000, gpu=408000000, emc=2133000000)


def half_memory(text: str) -> str:
    """The super configuration of the module with 4 GB, which has fewer parts of the GPU, with the same parameters."""
    limits = {
        "10W": (1497600, 612000000, 2133000000),
        "25W": (1728000, 1020000000, 3199000000),
        "MAXN_SUPER": (-1,) * 3,
    }
    modes = [
        model(number, name, cores=CORES, mask=252, cpu=cpu, gpu=gpu, emc=emc)
        for number, (name, (cpu, gpu, emc)) in enumerate(limits.items())
    ]
    return text[: text.index("< POWER_MODEL")] + "".join(modes) + "< PM_CONFIG DEFAULT=1 >\n"


def with_seven_watts(text: str, wanted: bool) -> str:
    """The super configuration with or without the mode 7W; boards with newer releases have it."""
    there = section_of(text, SEVEN_WATTS)
    if bool(there) == wanted:
        return text
    if there:
        return text.replace(there, "")
    last = section_of(text, 2)
    return text.replace(last, last + seven_watts(SEVEN_WATTS))


def without_super(text: str) -> str:
    """The configuration of a board that was flashed without the super one, with the same parameters."""
    parameters = text[: text.index("< POWER_MODEL")]
    usual = model(0, "15W", cores=CORES, mask=240, cpu=-1, gpu=-1, emc=-1)
    return parameters + usual + seven_watts(1) + "< PM_CONFIG DEFAULT=0 >\n"
