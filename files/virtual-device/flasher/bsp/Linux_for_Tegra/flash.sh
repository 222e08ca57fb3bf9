#!/bin/bash
# Double of flash.sh: same options as far as they are used, same words.
set -eo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/tools/cable.sh"
usb=
while [ $# -gt 2 ]; do
    case "$1" in
        --usb-instance) usb=$2; shift 2 ;;
        *) echo "Usage: sudo ./flash.sh [options] <target_board> <rootdev>"; exit 1 ;;
    esac
done
[ -f "$here/$1.conf" ] || { echo "Error: Invalid target board - $1."; exit 1; }
if ! find_board "$usb"; then
    echo "Error: probing the target board failed."
    echo "       Make sure the target board is connected through "
    echo "       USB port and is in recovery mode."
    exit 1
fi
echo "# L4T BSP Information:"
echo "[   0.0120 ] Flashing the device"
send_image "$here/rootfs"
echo "*** The target generic has been flashed successfully. ***"
echo "Reset the board to boot from internal eMMC."
