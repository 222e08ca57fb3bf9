"""How the fixture ``run_module`` is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RunModule = Callable[..., dict[str, Any]]
