"""The word error rate that the smoke test demands of a speech model: its catalogue entry's, or that it works at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORKING = 0.4
"""Largest word error rate of a working model: a broken one has hardly a word right, and with two words in five wrong
the rest is useless."""

FREE_WORDS = 2
"""Words that may be wrong in any sample, up to the rate above: in a short one they are a large share, and say little
about the model."""

FEW_LANGUAGES = 10

Catalogue = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Bound:
    """The largest word error rate that passes.

    Attributes:
        origin: Where it comes from.
        warning: What the operator must know about it, or None.
        is_own: Whether the operator has set it; it then applies as it is.
    """

    wer: float
    origin: str
    warning: str | None = None
    is_own: bool = False

    def of(self, words: int) -> float:
        """Return the bound for a sample of this many words."""
        if self.is_own:
            return self.wer
        return max(self.wer, min(WORKING, FREE_WORDS / max(1, words)))


def bound(catalogue: Catalogue, model: str, language: str, own: float | None = None) -> Bound:
    """Return a model's bound for speech in a language; the operator's ``own`` bound overrides all others."""
    if own is not None:
        return Bound(own, "smoke_max_wer", is_own=True)
    known: float | None = catalogue.get(model, {}).get("gate", {}).get("wer", {}).get(language)
    if known is not None:
        return Bound(known, f"the catalogue's entry of {model}")
    lacks = f"has no bound for {language}" if model in catalogue else "is missing"
    warning = (
        f"{model or 'A model without a name'} was only checked for working at all (WER of at most {WORKING:.0%}): its"
        f" entry in the catalogue {lacks}. smoke_max_wer sets a bound (docs/gate.md)."
    )
    return Bound(WORKING, "any model that works", warning)


def notes_are_due(catalogue: Catalogue, model: str) -> bool:
    """Whether a language model must produce notes; the entry of one that often can't says so."""
    return bool(catalogue.get(model, {}).get("gate", {}).get("notes", True))


def language_problem(catalogue: Catalogue, model: str, language: str) -> str | None:
    """Return what to do when a model does not support the sample's language, or None."""
    known = catalogue.get(model, {}).get("languages", [])
    if not known or language in known:
        return None
    named = ", ".join(known) if len(known) <= FEW_LANGUAGES else f"{len(known)} languages"
    return (
        f"{model} knows {named}, and the sample is in {language}: set a sample in a language of the model with"
        " smoke_audio and smoke_reference (docs/gate.md)"
    )
