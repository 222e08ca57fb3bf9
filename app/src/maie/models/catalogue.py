"""The catalogue of models: ``catalogue.json``, the only place that names any.

The control node reads the same file: its module ``model_fetch``, so that what is fetched is what is verified, and the
smoke test, for which an entry sets the bounds of its model (``gate``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from maie.models.files import model_name
from maie.settings import Settings

Kind = Literal["asr", "llm", "base"]
Origin = Literal["index", "hub", "export"]
Prompts = Literal["whole", "lines"]
"""How a language model is asked: for a whole answer at a time, or line by line, which is for small ones."""


@dataclass(frozen=True)
class CatalogueFile:
    """One file of a model.

    Attributes:
        size: Its bytes.
        sha256: None where its maker publishes none; then ``git_id`` is there.
        git_id: Its object id in Git: SHA-1 of ``blob <size>``, a null byte and the content.
    """

    name: str
    size: int
    sha256: str | None = None
    git_id: str | None = None


@dataclass(frozen=True)
class CatalogueModel:
    """One entry of the catalogue.

    Attributes:
        kind: ``base`` is what a language model is exported from, with an adapter of the project.
        engine: What loads it: faster_whisper, ctranslate2 or vllm; None for a base.
        licence: SPDX identifier; None where nobody has read it yet.
        languages: Codes as Whisper writes them, mostly ISO 639-1; empty where its maker's list was not available.
        figures: What the memory plan uses where its files are not available.
        files: None where no digest was published: then its first download is recorded on the control node.
        origins: The kinds of its sources, in order of preference.
        prompts: How a language model was trained to be asked.
    """

    name: str
    kind: Kind
    engine: str | None
    licence: str | None
    languages: tuple[str, ...]
    figures: Mapping[str, Any]
    files: tuple[CatalogueFile, ...]
    origins: tuple[Origin, ...]
    prompts: Prompts = "whole"

    @property
    def size(self) -> int:
        """Bytes of all its files; of its weights where its files are not listed."""
        return sum(file.size for file in self.files) or int(self.figures["files_bytes"])


@cache
def catalogue() -> Mapping[str, CatalogueModel]:
    """Return all entries by name."""
    entries = json.loads((files("maie.models") / "catalogue.json").read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in entries.items()}


def prompts_of(settings: Settings) -> Prompts:
    """Return how the language model of the settings is asked."""
    if settings.llm_prompts != "auto":
        return settings.llm_prompts
    folder = [model_name(settings.llm_model)] if settings.llm_model else []
    known = (catalogue().get(name) for name in (*folder, settings.llm_model_name))
    return next((model.prompts for model in known if model), "whole")


def _model(name: str, entry: Mapping[str, Any]) -> CatalogueModel:
    return CatalogueModel(
        name=name,
        kind=entry["kind"],
        engine=entry["engine"],
        licence=entry["licence"],
        languages=tuple(entry["languages"]),
        figures=entry["figures"],
        files=tuple(CatalogueFile(**file) for file in entry["files"]),
        origins=tuple(source["from"] for source in entry["sources"]),
        prompts=entry.get("prompts", "whole"),
    )
