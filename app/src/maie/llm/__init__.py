"""Language models: one protocol (:mod:`maie.llm.base`) and the engines behind it."""

from __future__ import annotations

from maie.errors import ConfigurationError
from maie.llm.base import LanguageModel
from maie.settings import Settings


def load(settings: Settings) -> LanguageModel:
    """Return the language model that the settings name; a server need not be up for it.

    Raises:
        ConfigurationError: The settings name no model, or one that is not there or can't run on this machine.
    """
    if settings.llm_backend == "ctranslate2":
        from maie.llm import ctranslate2

        return ctranslate2.load(settings)
    if settings.llm_backend == "openai":
        from maie.llm import openai

        return openai.load(settings)
    raise ConfigurationError(f"MAIE_LLM_BACKEND is {settings.llm_backend}: there is no language model to load.")
