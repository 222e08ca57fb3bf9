"""What this deployment offers of what a client may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maie.prompts import Template
from maie.settings import Settings
from maie.template_set import load_templates


@dataclass(frozen=True)
class Offer:
    """The offer.

    Attributes:
        llm: Whether there is a language model.
        templates: What it can be asked for, by id; none without it.
    """

    llm: bool = False
    templates: Mapping[str, Template] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Offer:
        """Return the offer of a deployment.

        Raises:
            ConfigurationError: A template can't be used.
        """
        if settings.llm_backend == "none":
            return cls()
        return cls(True, load_templates(settings.templates_dir))

    def summaries(self) -> dict[str, Template]:
        """Return the templates of summaries: those whose answer is JSON."""
        return {name: template for name, template in self.templates.items() if template.answer == "json"}
