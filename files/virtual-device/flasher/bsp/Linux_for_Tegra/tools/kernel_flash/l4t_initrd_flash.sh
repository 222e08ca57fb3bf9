#!/bin/bash
# Double of l4t_initrd_flash.sh: same options as far as they are used, same words.
set -eo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
source "$here/tools/cable.sh"
usb=
while [ $# -gt 2 ]; do
    case "$1" in
        --usb-instance) usb=$2; shift 2 ;;
        --external-device | --network) shift 2 ;;
        -c | -p | -S)
            for word in $2; do
                case $word in *.xml) [ -f "$here/$word" ] || { echo "Error: $word is not found"; exit 1; } ;; esac
            done
            shift 2 ;;
        --erase-all | --showlogs) shift ;;
        *) echo "Usage: $0 <options> <board-name> <rootdev>"; exit 1 ;;
    esac
done
[ -f "$here/$1.conf" ] || { echo "Error: $1.conf is not found"; exit 1; }

step() { printf '***************************************\n*%*s*\n*  Step %s *\n***************************************\n' 37 '' "$1"; }
step "1: Generate flash packages"
find_board "$usb" || { echo "No devices to flash"; exit 1; }
echo "Finish generating flash package."
step "2: Boot the device with flash initrd image"
echo "[   0.0120 ] Boot Rom communication"
step "3: Start the flashing process"
for _ in 1 2 3; do echo "Waiting for target to boot-up..."; sleep 0.2; done
echo "Waiting for device to expose ssh ......Run command: echo SSH ready"
echo "Starting to flash to qspi"
echo "Successfully flash the qspi"
echo "Formatting APP partition /dev/nvme0n1p1 ..."
send_image "$here/rootfs"
echo "Successfully flash the external device"
echo "Flashing success"
echo "Flash is successful"
echo "Reboot device"
echo "Cleaning up..."
