"""The engines of speech recognition, behind one protocol."""

from __future__ import annotations

from maie.asr.base import Recogniser
from maie.settings import Settings

__all__ = ["Recogniser", "load"]


def load(settings: Settings) -> Recogniser:
    """Return the engine that the settings name; what it needs is imported here.

    Raises:
        ConfigurationError: It can't work as it is configured.
    """
    if settings.asr_backend == "openai":
        from maie.asr import openai

        return openai.load(settings)
    from maie.asr import faster_whisper

    return faster_whisper.load(settings)
