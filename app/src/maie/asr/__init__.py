"""Speech recognition: one protocol (:mod:`maie.asr.base`), and the engines that :mod:`maie.backends` lists."""

from __future__ import annotations

from importlib import import_module

from maie import backends
from maie.asr.base import Recogniser
from maie.settings import Settings

__all__ = ["Recogniser", "load"]


def load(settings: Settings) -> Recogniser:
    """Return the engine that the settings name; what it needs is imported here.

    Raises:
        ConfigurationError: It can't work as it is configured.
    """
    loaded: Recogniser = import_module(backends.ASR[settings.asr_backend].module).load(settings)
    return loaded
