"""Merges what a language model wrote about the parts of a transcript into one value.

It goes by plain rules, so that nothing is lost or invented:

* lists are put one behind the other; what is there already, in other capitals or punctuation, isn't put in again, and
  of two objects of which one only says more (has a value where the other has null) that one stays;
* of a list that becomes longer than the schema allows, what most parts have stays, and a warning tells how much went;
* prose (text that may have 500 letters or more) is put one behind the other, and written anew by the model where it
  becomes longer than the schema allows;
* of everything else (titles, dates, numbers) the first that is not null holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maie.wording.words import words_of

PROSE_LETTERS = 500
"""Text that may be as long as this is prose, not a title."""

Shorten = Callable[[str, Sequence[str], int], str]
"""Returns the pieces of a field as one text of at most so many letters."""


@dataclass
class _Entry:
    """An entry of a merged list, and in how many parts it was found."""

    value: Any
    found: int = 1


class Merger:
    """Merges values that all fit one schema; ``warnings`` tells what had to be left out."""

    def __init__(self, schema: Mapping[str, Any], shorten: Shorten) -> None:
        self._schema = schema
        self._shorten = shorten
        self.warnings: list[str] = []

    def merge(self, values: Sequence[Any]) -> Any:
        """Return the one value of at least one."""
        return self._merge("text", values, self._schema)

    def _merge(self, field: str, values: Sequence[Any], schema: Mapping[str, Any]) -> Any:
        present = [value for value in values if value is not None]
        if not present:
            return None
        if all(isinstance(value, dict) for value in present):
            fields = schema.get("properties", {})
            names = list(dict.fromkeys(name for value in present for name in value))
            return {
                name: self._merge(name, [value[name] for value in present if name in value], fields.get(name, {}))
                for name in names
            }
        if all(isinstance(value, list) for value in present):
            return self._list(field, present, schema.get("maxItems"))
        if all(isinstance(value, str) for value in present) and _is_prose(schema):
            return self._prose(field, present, schema.get("maxLength"))
        return present[0]

    def _list(self, field: str, lists: Sequence[Sequence[Any]], most: int | None) -> list[Any]:
        entries: list[_Entry] = []
        for value in (value for values in lists for value in values):
            same = next((entry for entry in entries if _is_same(entry.value, value)), None)
            if same is None:
                entries.append(_Entry(value))
            else:
                same.value, same.found = _fuller(same.value, value), same.found + 1
        if most is not None and len(entries) > most:
            self.warnings.append(f"{len(entries) - most} of {len(entries)} {field} had to be left out.")
            kept = sorted(range(len(entries)), key=lambda place: -entries[place].found)[:most]
            entries = [entries[place] for place in sorted(kept)]
        return [entry.value for entry in entries]

    def _prose(self, field: str, pieces: Sequence[str], most: int | None) -> str:
        different = list(dict.fromkeys(piece.strip() for piece in pieces))
        text = " ".join(different)
        return text if most is None or len(text) <= most else self._shorten(field, different, most)


def _is_prose(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("maxLength", PROSE_LETTERS) >= PROSE_LETTERS and "pattern" not in schema)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two entries agree wherever both have a value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return any(one.get(name) is not None and other.get(name) is not None for name in one) and all(
            one.get(name) is None or other.get(name) is None or _is_same(one[name], other[name])
            for name in {*one, *other}
        )
    if isinstance(one, str) and isinstance(other, str):
        return words_of(one) == words_of(other)
    return bool(one == other)


def _fuller(one: Any, other: Any) -> Any:
    """Return the first of two equal entries, completed with what only the other one has."""
    if isinstance(one, dict):
        return {name: other.get(name) if value is None else value for name, value in {**other, **one}.items()}
    return one
