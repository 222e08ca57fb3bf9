"""Makes values fit a JSON Schema where that takes no more than to shorten them or leave them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from maie.wording.words import words_of

_CUT = "…"


def fitted(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value as a schema allows it, or None where it doesn't.

    Text is cut at a word, lists lose what doesn't fit, what is there already and what is too much. What an object has
    must fit too, field by field.
    """
    if isinstance(value, str):
        value = _shortened(" ".join(value.split()), schema.get("maxLength"))
    elif isinstance(value, Mapping):
        fields = schema.get("properties", {})
        value = {name: fitted(inner, fields.get(name, {})) for name, inner in value.items()}
    elif isinstance(value, Sequence):
        found = (fitted(inner, schema.get("items", {})) for inner in value)
        value = _different([inner for inner in found if inner is not None])[: schema.get("maxItems")]
    return value if Draft202012Validator(schema).is_valid(value) else None


def _shortened(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    room = most - len(_CUT)
    words = text[: room + 1].rpartition(" ")[0] or text[:room]
    return f"{words[:room].rstrip()}{_CUT}"


def _different(values: Sequence[Any]) -> list[Any]:
    """Return the values without those that an earlier one equals, whatever their letter case and punctuation."""

    def known_by(value: Any) -> Any:
        if isinstance(value, dict):
            return tuple((name, known_by(inner)) for name, inner in value.items())
        return tuple(words_of(value)) or value if isinstance(value, str) else repr(value)

    return list({known_by(value): value for value in reversed(values)}.values())[::-1]
