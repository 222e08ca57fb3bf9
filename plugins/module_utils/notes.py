"""How the notes that a host made of a meeting compare with the right ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.words import normalise  # type: ignore[import-not-found]

ENOUGH_WORDS = 0.5
"""Share of an item's words that another form of it must have: models put the same task in words of their own."""

Item = Mapping[str, Any]


def action_items_f1(wanted: Sequence[Item], found: Sequence[Item]) -> float:
    """Return the harmonic mean of precision and recall, 0 to 1; 1 where nothing was wanted or found.

    An item counts as found where assignee and date are the same and half of its words are there.
    """
    left = list(found)
    right = 0
    for item in wanted:
        match = next((other for other in left if _same(item, other)), None)
        if match is not None:
            left.remove(match)
            right += 1
    both = len(wanted) + len(found)
    return 2 * right / both if both else 1.0


def _same(item: Item, other: Item) -> bool:
    if item["due_date"] != other["due_date"] or _words(item["assignee"]) != _words(other["assignee"]):
        return False
    words = _words(item["description"])
    return len(words & _words(other["description"])) >= ENOUGH_WORDS * len(words)


def _words(text: str | None) -> set[str]:
    return set(normalise(text or "").split())
