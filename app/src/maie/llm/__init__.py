"""Language models: one protocol (:mod:`maie.llm.base`), and the engines that :mod:`maie.backends` lists."""

from __future__ import annotations

from importlib import import_module

from maie import backends
from maie.errors import ConfigurationError
from maie.llm.base import LanguageModel
from maie.settings import Settings


def load(settings: Settings) -> LanguageModel:
    """Return the language model that the settings name; a server need not be up for it.

    Raises:
        ConfigurationError: The settings name no model, or one that is not there or can't run on this machine.
    """
    backend = backends.LLM[settings.llm_backend]
    if not backend.module:
        raise ConfigurationError(f"MAIE_LLM_BACKEND is {backend.name}: there is no language model to load.")
    loaded: LanguageModel = import_module(backend.module).load(settings)
    return loaded
