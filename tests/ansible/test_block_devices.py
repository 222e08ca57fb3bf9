"""Which device holds a path."""

from __future__ import annotations

import pytest
from ansible.module_utils import block_devices
from ansible.module_utils.block_devices import Mount

MOUNTS = r"""24 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
25 24 0:21 / /proc rw - proc proc rw
26 24 8:1 / /mnt/my\040disk rw,relatime shared:30 master:2 - ext4 /dev/sda1 rw
27 24 0:50 / /data rw - tmpfs tmpfs rw
28 24 8:2 / /data rw - ext4 /dev/sda2 rw
not a mount
"""


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/", "259:1"),
        ("/opt/maie", "259:1"),
        ("/mnt/my disk", "8:1"),
        ("/mnt/my disk/models", "8:1"),
        ("/mnt/my disk 2", "259:1"),
        ("/data/x", "8:2"),
    ],
)
def test_the_longest_mount_point_holds_a_path_and_a_later_one_covers_an_earlier(path: str, number: str) -> None:
    mount = block_devices.mount_of(path, block_devices.parse_mountinfo(MOUNTS))
    assert mount is not None
    assert mount.number == number


def test_a_mount_with_spaces() -> None:
    assert block_devices.parse_mountinfo(MOUNTS)[2] == Mount("8:1", "/mnt/my disk", "ext4", "/dev/sda1")
    assert block_devices.mount_of("/", []) is None


@pytest.mark.parametrize(
    ("folder", "disk"),
    [
        ("/sys/devices/x/nvme/nvme0/nvme0n1/nvme0n1p1", "/sys/devices/x/nvme/nvme0/nvme0n1"),
        ("/sys/devices/x/nvme/nvme0/nvme0n1", "/sys/devices/x/nvme/nvme0/nvme0n1"),
        ("/sys/devices/x/block/mmcblk0/mmcblk0p12", "/sys/devices/x/block/mmcblk0"),
        ("/sys/devices/x/block/sda/sda1", "/sys/devices/x/block/sda"),
        ("/sys/devices/virtual/block/dm-0", "/sys/devices/virtual/block/dm-0"),
    ],
)
def test_the_disk_of_a_partition(folder: str, disk: str) -> None:
    assert block_devices.disk_of(folder) == disk


@pytest.mark.parametrize(
    ("disk", "card", "kind"),
    [
        ("/sys/devices/x/nvme/nvme0/nvme0n1", "", "nvme"),
        ("/sys/devices/x/block/mmcblk0", "SD\n", "sd"),
        ("/sys/devices/x/block/mmcblk0", "MMC\n", "emmc"),
        ("/sys/devices/x/block/mmcblk0", "", "unknown"),
        ("/sys/devices/x/usb2/2-3/2-3:1.0/host0/block/sda", "", "usb"),
        ("/sys/devices/x/ata1/host0/block/sda", "", "disk"),
        ("/sys/devices/x/virtio2/block/vda", "", "disk"),
        ("/sys/devices/virtual/block/loop3", "", "virtual"),
        ("/sys/devices/virtual/block/md127", "", "unknown"),
    ],
)
def test_the_kind_of_a_disk(disk: str, card: str, kind: str) -> None:
    assert block_devices.kind_of(disk, card) == kind
