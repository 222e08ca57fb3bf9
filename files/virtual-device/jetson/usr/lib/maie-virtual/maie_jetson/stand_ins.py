"""Units of a stock JetPack desktop: their names, links and triggers are the real ones, their work is sleep."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DISTRIBUTION = Path("/usr/lib/systemd/system")
BOARD = Path("/etc/systemd/system")


@dataclass(frozen=True)
class StandIn:
    """A service as its package installs it: the target that wants it (none: static), what is enabled with it."""

    name: str
    description: str
    wanted_by: str | None = "multi-user.target"
    also: tuple[str, ...] = ()
    alias: str | None = None
    folder: Path = DISTRIBUTION


STAND_INS = (
    StandIn("gdm", "GNOME Display Manager", wanted_by=None),
    StandIn("cups", "CUPS Scheduler", also=("cups.socket", "cups.path")),
    StandIn("cups-browsed", "Make remote CUPS printers available locally"),
    StandIn("bluetooth", "Bluetooth service", alias="dbus-org.bluez.service"),
    StandIn("ModemManager", "Modem Manager", alias="dbus-org.freedesktop.ModemManager1.service"),
    StandIn("whoopsie", "crash report submission daemon"),
    StandIn("kerneloops", "Tool to automatically collect and submit kernel crash signatures"),
    StandIn("packagekit", "PackageKit Daemon", wanted_by=None),
    StandIn("unattended-upgrades", "Unattended Upgrades Shutdown"),
    StandIn("snapd", "Snap Daemon", also=("snapd.socket",)),
    StandIn(
        "avahi-daemon", "Avahi mDNS/DNS-SD Stack", also=("avahi-daemon.socket",),
        alias="dbus-org.freedesktop.Avahi.service",
    ),
    StandIn("nvargus-daemon", "Argus daemon", folder=BOARD),
    StandIn("nvgetty", "NVIDIA getty", folder=BOARD),
)  # fmt: skip
TRIGGERS = {
    "cups.socket": ("sockets.target", "[Socket]\nListenStream=/run/cups/cups.sock"),
    "cups.path": ("multi-user.target", "[Path]\nPathExistsGlob=/var/spool/cups/d*"),
    "snapd.socket": ("sockets.target", "[Socket]\nListenStream=/run/snapd.socket"),
    "avahi-daemon.socket": ("sockets.target", "[Socket]\nListenStream=/run/avahi-daemon/socket"),
}


def service(unit: StandIn) -> str:
    """The text of a service."""
    install = [("WantedBy", unit.wanted_by), ("Also", " ".join(unit.also)), ("Alias", unit.alias)]
    lines = [f"{key}={value}" for key, value in install if value]
    text = f"[Unit]\nDescription={unit.description}\n\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
    return text + ("\n[Install]\n" + "\n".join(lines) + "\n" if lines else "")


def trigger(name: str) -> str:
    """The text of a unit that starts a service when it is called."""
    wanted_by, section = TRIGGERS[name]
    return f"[Unit]\nDescription={name}\n\n{section}\n\n[Install]\nWantedBy={wanted_by}\n"


def main() -> None:
    """Install and enable all of them, as the packages do."""
    for name in TRIGGERS:
        (DISTRIBUTION / name).write_text(trigger(name))
    for unit in STAND_INS:
        (unit.folder / f"{unit.name}.service").write_text(service(unit))
    wanted = [f"{unit.name}.service" for unit in STAND_INS if unit.wanted_by]
    subprocess.run(("systemctl", "enable", "--quiet", *wanted), check=True)
    (BOARD / "display-manager.service").symlink_to(DISTRIBUTION / "gdm.service")


if __name__ == "__main__":
    sys.exit(main())
