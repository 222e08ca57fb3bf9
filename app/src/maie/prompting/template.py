"""One template: a task for a language model, read from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

BUILT_IN = Path(__file__).with_name("templates")
"""The folder of the templates that come with the service."""

CLEAN_TRANSCRIPT = "text_enhancement_v1"
"""The template that asks for a clean transcript."""

AnswerForm = Literal["json", "text"]

Source = Literal["title", "date", "people", "topics", "tags", "summary", "points", "decisions", "tasks"]
"""Where a field comes from that a small model doesn't write itself: what it says of the conversation and of its lines,
and the lines themselves."""


class TemplateInvalid(Exception):
    """A template can't be used; the message names the template and the cause."""


@dataclass(frozen=True)
class Template:
    """One task for a language model.

    Attributes:
        identity: The name of the template's folder.
        language: ISO 639-1 code of the language that the prompt is written in.
        answer: Whether the answer is a JSON value or plain text.
        schema: JSON Schema of the answer (of a string, where it is plain text).
        prompt: Jinja source of the task.
        example: An answer that fits the schema.
        steps: The fields of the answer, each with where it comes from when a model is asked line by line. Empty where
            the template can only be asked for as a whole.
    """

    identity: str
    name: str
    description: str
    language: str
    answer: AnswerForm
    schema: dict[str, Any]
    prompt: str
    example: Any
    steps: Mapping[str, Source] = field(default_factory=dict)


def load_template(folder: Path) -> Template:
    """Read a template's folder: template.yaml, schema.json, prompt.jinja and example.json.

    Raises:
        TemplateInvalid: A file is missing, can't be read or lacks a field.
    """
    try:
        about = yaml.safe_load((folder / "template.yaml").read_text(encoding="utf-8"))
        template = Template(
            identity=folder.name,
            name=str(about["name"]),
            description=str(about["description"]),
            language=str(about["language"]),
            answer=about.get("answer", "json"),
            schema=json.loads((folder / "schema.json").read_text(encoding="utf-8")),
            prompt=(folder / "prompt.jinja").read_text(encoding="utf-8"),
            example=json.loads((folder / "example.json").read_text(encoding="utf-8")),
            steps=dict(about.get("steps", {})),
        )
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise TemplateInvalid(f"The template {folder.name} can't be read: {cause}.") from error
    if template.answer not in get_args(AnswerForm):
        raise TemplateInvalid(f"The template {folder.name} has answer {template.answer!r}; it can be json or text.")
    return template
