"""Reader of nvpmodel.conf, for all doubles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SECTION = re.compile(r"^<\s*(PARAM|POWER_MODEL|PM_CONFIG|FAN_CONFIG)\s+(.*?)\s*>$")


SEVEN_WATTS = 3
SEVEN_WATTS_LIMITS = {"CORE_4": "0", "CORE_5": "0", "CPU": "960000", "GPU": "408000000"}


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


def with_seven_watts(text: str, wanted: bool) -> str:
    """The configuration with or without the mode 7W, which leaves four cores and so needs a reboot.

    Boards with newer releases have it; everything in it but cores and clocks is as in the mode 15W.
    """
    there = section_of(text, SEVEN_WATTS)
    if bool(there) == wanted:
        return text
    if there:
        return text.replace(there, "")
    lines = []
    for line in section_of(text, 0).replace("ID=0 NAME=15W", f"ID={SEVEN_WATTS} NAME=7W").splitlines():
        words = line.split()
        if words[:1] == ["CPU_ONLINE"] and words[1] in SEVEN_WATTS_LIMITS:
            line = f"{words[0]} {words[1]} {SEVEN_WATTS_LIMITS[words[1]]}"
        elif words[1:2] == ["MAX_FREQ"] and words[0].split("_")[0] in SEVEN_WATTS_LIMITS:
            line = f"{words[0]} {words[1]} {SEVEN_WATTS_LIMITS[words[0].split('_')[0]]}"
        lines.append(line)
    last = section_of(text, 2)
    return text.replace(last, last + "\n".join(lines) + "\n")
