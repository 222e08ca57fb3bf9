#!/bin/bash
# Double of apply_binaries.sh: the packages that it would install leave one file that is looked at later.
set -e
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "Please run this script as root user"; exit 1; }
[ -f "$here/rootfs/etc/passwd" ] || { echo "E: $here/rootfs is not a valid rootfs directory" >&2; exit 1; }
echo "Using rootfs directory of: $here/rootfs"
cp "$here/nv_tegra/nv_tegra_release" "$here/rootfs/etc/nv_tegra_release"
echo "Installing Jetson Linux packages on rootfs"
echo "L4T BSP package installation completed!"
