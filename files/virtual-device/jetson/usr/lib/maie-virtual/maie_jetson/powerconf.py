"""Reader of nvpmodel.conf, for all doubles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SECTION = re.compile(r"^<\s*(PARAM|POWER_MODEL|PM_CONFIG|FAN_CONFIG)\s+(.*?)\s*>$")


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
