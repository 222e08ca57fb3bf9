"""What this deployment offers of what a client may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maie.errors import InvalidRequest, NotAvailable, UnknownTemplate
from maie.pipeline import table
from maie.prompting.template import Template
from maie.prompting.template_set import load_templates
from maie.settings import Settings


@dataclass(frozen=True)
class Offer:
    """What a deployment offers.

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


def require_offer(features: tuple[str, ...], template_id: str | None, offer: Offer) -> None:
    """Check that the language model can do what is asked, so that no task fails for it later.

    Raises:
        InvalidRequest: A summary without a template, or a template without a summary.
        NotAvailable: The deployment has no language model.
        UnknownTemplate: There is no such template.
    """
    of_llm = table.features(needs="language_model")
    needy = next((name for name in features if name in of_llm), None)
    if needy and not offer.llm:
        raise NotAvailable(f"The feature {needy} is not available in this deployment.")
    if template_id and not offer.llm:
        raise NotAvailable("Templates (template_id) are not available in this deployment.")
    if "summary" in features and not template_id:
        raise InvalidRequest("A summary needs a template_id: the id of one of this deployment's templates.")
    if template_id and "summary" not in features:
        raise InvalidRequest("template_id is the template of a summary, and the feature summary is not asked for.")
    if template_id and template_id not in offer.summaries():
        raise UnknownTemplate(f"There is no template {template_id[:64]!r} for summaries in this deployment.")
