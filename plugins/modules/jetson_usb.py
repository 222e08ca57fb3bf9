"""Ansible module: list the Jetsons in recovery mode on a flashing host's USB bus."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils import flash  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: jetson_usb
short_description: Lists the Jetsons in recovery mode by their USB paths
description:
  - Reads the kernel's list of USB devices and changes nothing.
options:
  devices:
    description: The kernel's folder of USB devices.
    type: path
    default: /sys/bus/usb/devices
"""

EXAMPLES = r"""
- name: List the boards in recovery mode
  jetson_usb:
"""

RETURN = r"""
boards:
  description: >-
    For each board C(path) (as C(1-4.2): bus and ports), C(id) (as C(0955:7523)), C(name) of the module, and C(family),
    the start of the names of its board configurations.
  returned: always
  type: list
"""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={"devices": {"type": "path", "default": "/sys/bus/usb/devices"}}, supports_check_mode=True
    )
    module.exit_json(changed=False, boards=flash.boards_on_bus(Path(module.params["devices"])))


if __name__ == "__main__":
    main()
