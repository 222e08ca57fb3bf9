"""A host in a folder: ``root`` for its files, and doubles of the programs that know its units, holds and swap."""

from __future__ import annotations

from pathlib import Path

SWAPS_HEADER = "Filename\tType\tSize\tUsed\tPriority\n"
SYSTEMCTL = """\
#!/bin/sh
# Keeps which units run as files in a folder, and what it was asked.
echo "$@" >> {folder}/asked
case "$1" in
  show) for unit; do :; done
        if [ -e {folder}/units/$unit ]; then echo "LoadState=loaded"; echo "ActiveState=$(cat {folder}/units/$unit)"
        else echo "LoadState=not-found"; echo "ActiveState=inactive"; fi ;;
  start) shift; for unit; do echo active > {folder}/units/$unit; done ;;
  stop) shift; for unit; do echo inactive > {folder}/units/$unit; done ;;
esac
"""
APT_MARK = """\
#!/bin/sh
case "$1" in
  showhold) cat {folder}/held ;;
  hold) shift; for name; do echo $name >> {folder}/held; done ;;
  unhold) shift; for name; do sed -i "/^$name$/d" {folder}/held; done ;;
esac
"""
DPKG_QUERY = "#!/bin/sh\nprintf 'core installed\\ntools installed\\ngone config-files\\n'\n"
SWAP = """\
#!/bin/sh
for area; do :; done
case "$0" in
  *swapoff) sed -i "\\\\,^$area ,d" {folder}/swaps ;;
  *swapon) priority=-2; [ "$1" = --priority ] && priority=$2; echo "$area file 64 0 $priority" >> {folder}/swaps ;;
esac
"""
PROGRAMS = {"systemctl": SYSTEMCTL, "apt-mark": APT_MARK, "dpkg-query": DPKG_QUERY, "swapon": SWAP, "swapoff": SWAP}


def make(folder: Path) -> None:
    """Make the host: without units, with one package held and swap to compressed memory."""
    for name in ("bin", "root", "units", "links", "sys/vm"):
        (folder / name).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(text.replace("{folder}", str(folder)))
        program.chmod(0o755)
    (folder / "held").write_text("tools\n")
    (folder / "swaps").write_text(SWAPS_HEADER + "/dev/zram0 partition 64 0 5\n")
