"""A recorded board below a folder, with programs that keep a mode and set limits as it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import recorded
from ansible.module_utils import nvpmodel_conf

UNIT = "maie-jetson-clocks.service"
GPU = "sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"
EMC = "sys/kernel/nvpmodel_clk_cap/emc"
LIMITS = {
    "0": (612_000_000, 2_133_000_000),
    "1": (918_000_000, 3_199_000_000),
    "2": (1_020_000_000, 3_199_000_000),
}
"""GPU and memory of the Orin Nano Super, by mode."""

# Ways in which `nvpmodel -m` may go otherwise than well; $2 is the mode.
TAKES_NO_EFFECT = 'keep "$2"; exit 0'
FAILS = "echo NVPM ERROR: failed to set power mode!; exit 234"
HANGS = "sleep 3"
ASKS_FOR_REBOOT = """\
echo "NVPM WARN: Golden image context is already created"
echo "NVPM WARN: Reboot required for changing to this power mode: $2"
echo "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"
read answer || { echo "NVPM ERROR: bad input!"; exit 234; }
"""
NVPMODEL = """\
#!/bin/sh
cd {root}
echo nvpmodel "$@" >> {calls}
keep() {{ echo "pmode:000$1" > var/lib/nvpmodel/status; echo "$1" > {applied}; }}
case $1 in
  -q) mode=$({reported}); sed -n "s/^< POWER_MODEL ID=$mode NAME=\\(.*\\) >/NV Power Mode: \\1/p" etc/nvpmodel.conf
      echo "$mode" ;;
  -m) {change}
      keep "$2"
      case $2 in
{limits}
      esac ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo systemctl "$@" >> {calls}
case $1 in
  is-active) echo {active} ;;
  {fails}) exit 1 ;;
esac
"""


class Board:
    """The board; ``state_before`` is what :meth:`state` was at first."""

    def __init__(self, folder: Path, system: str, without: tuple[str, ...], reports_kept_mode: bool) -> None:
        self.root = recorded.copy(system, folder / "system")
        for path in without:
            (self.root / path).unlink()
        self.status = self.root / "var/lib/nvpmodel/status"
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.program = self.programs / "nvpmodel"
        self._calls = folder / "calls"
        self._applied = folder / "applied"
        self._reports_kept_mode = reports_kept_mode
        kept = nvpmodel_conf.parse_persisted_mode(self.status.read_text())
        self._applied.write_text(f"{kept}\n")
        self.state_before = self.state()

    def use(self, change: str = "", limits: dict[str, tuple[int, int]] | None = None) -> None:
        """Let ``nvpmodel -m`` do this and then what it does, with these limits for some of the modes."""
        written = {**LIMITS, **(limits or {})}
        kept = "sed 's/pmode:0*\\([0-9]\\).*/\\1/' var/lib/nvpmodel/status"
        self._write(
            self.program,
            NVPMODEL.format(
                root=self.root,
                calls=self._calls,
                applied=self._applied,
                reported=kept if self._reports_kept_mode else f"cat {self._applied}",
                change=change,
                limits="\n".join(
                    f"{mode}) echo {gpu} > {GPU}; echo {emc} > {EMC} ;;" for mode, (gpu, emc) in written.items()
                ),
            ),
        )

    def use_systemctl(self, is_active: bool, fails: str = "never") -> None:
        """Let systemd say whether a unit is active, and one of its commands fail."""
        state = "active" if is_active else "inactive"
        self._write(self.programs / "systemctl", SYSTEMCTL.format(calls=self._calls, active=state, fails=fails))

    def _write(self, program: Path, text: str) -> None:
        program.write_text(text)
        program.chmod(0o755)

    def calls(self) -> list[str]:
        """Return all calls of the programs."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def asked(self) -> list[str]:
        """Return the modes that were set."""
        return [call.split()[-1] for call in self.calls() if call.startswith("nvpmodel -m")]

    def state(self) -> dict[str, Any]:
        """Return the content of every file."""
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def report(self, mode: str) -> None:
        """Let a mode be reported that is not in force."""
        self.status.write_text(f"pmode:000{mode}\n")
        self._applied.write_text(f"{mode}\n")

    def boot(self, mode: str) -> None:
        """Bring a mode into force as a boot does, which also empties /run."""
        (self.root / "run/maie-nvpmodel").unlink()
        self._applied.write_text(f"{mode}\n")
        gpu, emc = LIMITS[mode]
        (self.root / GPU).write_text(f"{gpu}\n")
        (self.root / EMC).write_text(f"{emc}\n")


MakeBoard = Callable[..., Board]
"""Makes a board of a recorded system; see the fixture ``make_board``."""
