"""Scripted faults: /etc/maie-virtual/faults.yml maps a fault's name to true or to its parameter."""

from __future__ import annotations

from typing import Any

import yaml

from maie_virtual.paths import device


def fault(name: str) -> Any:
    """The parameter of a fault that is switched on, else None. The file is read at each call."""
    try:
        text = device("/etc/maie-virtual/faults.yml").read_text()
    except FileNotFoundError:
        return None
    return (yaml.safe_load(text) or {}).get(name) or None
