"""All templates of a deployment: those that come with the service and the operator's own, each of them checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing.exceptions import Unresolvable

from maie.errors import ConfigurationError
from maie.prompting.prompts import task_text
from maie.prompting.template import BUILT_IN, Source, Template, TemplateInvalid, load_template

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PART = {"part": 2, "parts": 3, "meeting_date": "2025-04-21"}

_OF_NAMES = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_OF_VALUES = frozenset({"enum", "const", "default", "examples"})
_SAYS_WHAT = frozenset({"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"})


def load_templates(own: Path | None) -> Mapping[str, Template]:
    """Return the built-in templates and the operator's by their names.

    Args:
        own: The folder of the operator's templates (the setting ``templates_dir``), or None.

    Raises:
        ConfigurationError: A template can't be used; the text names each of them and what is wrong with it.
    """
    checked = check_templates(own)
    wrong = [f"{folder}: {problem}" for folder, problems in checked.items() for problem in problems]
    if wrong:
        raise ConfigurationError(f"Templates can't be used. {' '.join(wrong)}")
    return {folder.name: load_template(folder) for folder in checked}


def check_templates(own: Path | None) -> dict[Path, list[str]]:
    """Return every template's folder with what is wrong with it, one sentence each; an empty list says it is right.

    Raises:
        ConfigurationError: The operator's folder is not there.
    """
    try:
        folders = [*_folders(BUILT_IN), *(_folders(own) if own else [])]
    except OSError as error:
        raise ConfigurationError(f"MAIE_TEMPLATES_DIR: {own} can't be read: {error.strerror}.") from None
    checked = {folder: check_template(folder) for folder in folders}
    built_in = {folder.name for folder in folders if folder.parent == BUILT_IN}
    for folder in folders:
        if folder.parent != BUILT_IN and folder.name in built_in:
            checked[folder].append("A template that comes with the service has this name.")
    return checked


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def check_template(folder: Path) -> list[str]:
    """Return what is wrong with one template.

    It is right when its files can be read, its schema is valid (JSON Schema, draft 2020-12), its example fits, its
    prompt renders for a whole transcript and for a part of one, and its answer can't go on for ever: every text and
    list has a longest length, and no object takes fields that it doesn't name.
    """
    try:
        template = load_template(folder)
        prompts = [task_text(template), task_text(template, _PART)]
    except TemplateInvalid as error:
        return [str(error)]
    problems = [] if _NAME.fullmatch(folder.name) else ["The name may have letters, digits, - and _, 64 at most."]
    if not all(prompts):
        problems.append("The prompt is empty.")
    return problems + (_schema_problems(template) or list(_steps_problems(template)))


def _steps_problems(template: Template) -> Iterator[str]:
    """Yield what is wrong with the steps, if the template has any."""
    if not template.steps:
        return
    for at, part in _subschemas(template.schema, "$"):
        if "$ref" in part or "$dynamicRef" in part:
            yield f"The steps can't follow the schema to another place at {at}."
    fields, known = template.schema.get("properties", {}), get_args(Source)
    for name, source in template.steps.items():
        if name not in fields:
            yield f"The steps have {name}, which is no field of the schema."
        if source not in known:
            yield f"The steps take {name} from {source!r}; it can be {', '.join(known)}."
    missing = [name for name in template.schema.get("required", []) if name not in template.steps]
    if missing:
        yield f"The steps lack {', '.join(missing)}."


def _schema_problems(template: Template) -> list[str]:
    try:
        Draft202012Validator.check_schema(template.schema)
    except SchemaError as error:
        return [f"The schema is not valid at {error.json_path}: {error.message}."]
    places = list(_subschemas(template.schema, "$"))
    distant = [f"The schema refers to another document at {at}." for at, part in places if _is_distant(part)]
    if distant:
        return distant
    problems = []
    if template.answer == "text" and template.schema.get("type") != "string":
        problems.append('The answer is text, so the type of the schema must be "string".')
    if template.answer == "json":
        problems = [f"The schema at {at} {flaw}." for at, part in places for flaw in _unbounded(part)]
    try:
        Draft202012Validator(template.schema).validate(template.example)
    except ValidationError as error:
        problems.append(f"The example does not fit the schema at {error.json_path}: {error.message}.")
    except Unresolvable as error:
        problems.append(f"The schema can't be used: {error}.")
    return problems


def _subschemas(schema: Any, at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a schema and all its subschemas, each with its place."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for keyword, value in schema.items():
        if keyword in _OF_VALUES:
            continue
        if keyword in _OF_NAMES:
            inner = [(f"{at}.{name}", part) for name, part in value.items()]
        elif isinstance(value, list):
            inner = [(f"{at}.{keyword}[{number}]", part) for number, part in enumerate(value)]
        else:
            inner = [(f"{at}.{keyword}", value)]
        for place, part in inner:
            yield from _subschemas(part, place)


def _is_distant(schema: Mapping[str, Any]) -> bool:
    return any(not str(schema.get(keyword, "#")).startswith("#") for keyword in ("$ref", "$dynamicRef"))


def _unbounded(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lets an answer that fits this schema be of any length, apart from its subschemas."""
    if _SAYS_WHAT.isdisjoint(schema):
        yield "takes anything: it needs a type"
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if "string" in types and {"maxLength", "pattern", "enum", "const"}.isdisjoint(schema):
        yield "takes text of any length: it needs maxLength, pattern or enum"
    if "array" in types and "maxItems" not in schema:
        yield "takes lists of any length: it needs maxItems"
    if "object" in types and schema.get("additionalProperties") is not False:
        yield "takes fields that it does not name: it needs additionalProperties false"
