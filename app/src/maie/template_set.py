"""All templates of a deployment: those that come with the service and the operator's own, each of them checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from maie.errors import ConfigurationError
from maie.prompts import BUILT_IN, Template, TemplateInvalid, load_template


def folders(own: Path | None) -> list[Path]:
    """Return the folders of all templates; the operator's are those in ``own``, hidden ones left out."""
    found = [path for place in (BUILT_IN, own) if place for path in place.iterdir()]
    return sorted(path for path in found if path.is_dir() and not path.name.startswith("."))


def load_templates(own: Path | None) -> Mapping[str, Template]:
    """Return the built-in templates and the operator's by their names.

    Raises:
        ConfigurationError: One of them can't be used; the text names each and what is wrong with it.
    """
    templates: dict[str, Template] = {}
    wrong: list[str] = []
    for folder in folders(own):
        problems = check_template(folder)
        if folder.name in templates:
            problems.append("there is a template of this name already")
        wrong += [f"{folder}: {problem}" for problem in problems]
        if not problems:
            templates[folder.name] = load_template(folder)
    if wrong:
        raise ConfigurationError(f"Templates can't be used: {'; '.join(wrong)}")
    return templates


def check_template(folder: Path) -> list[str]:
    """Return what is wrong with the template in a folder, one sentence each; nothing where it can be used."""
    try:
        load_template(folder)
    except TemplateInvalid as error:
        return [str(error)]
    return []
