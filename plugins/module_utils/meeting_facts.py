"""The facts that any good language model keeps: who does what until when, names, numbers and decisions.

Wording does not matter: only key words count, and only those that the speech model recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ansible.module_utils.words import UNSPACED, normalise  # type: ignore[import-not-found]

ENOUGH_WORDS = 0.5
"""Share of an item's key words that another wording of it must have: models phrase the same task differently."""

LONG_WORD = 4
"""Fewest letters of a key word: shorter words are mostly grammar."""

MONTHS = "january february march april may june july august september october november december".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()

Notes = Mapping[str, Any]


def words(text: str, language: str) -> list[str]:
    """Return the normalised words of a text, with bare numbers: "$5", "5th" and "5" are the same."""
    found = normalise(text, language).split()
    return [re.sub(r"^[^\w]*(\d[\d.,]*)(?:st|nd|rd|th|%)?$", r"\1", word) for word in found]


def key_words(text: str, language: str) -> set[str]:
    """Return the words that carry a text's meaning: long ones and numbers."""
    found = words(text, language)
    return {word for word in found if language in UNSPACED or len(word) >= LONG_WORD or _is_number(word)}


def wanted(reference: Mapping[str, Any], transcript: str) -> set[str]:
    """Return the words that this transcript's clean form must have: those of the facts, as far as they were recognised.

    What a speaker took back, so that the reference's clean text lacks it, is not required.
    """
    language, notes = reference["language"], reference.get("notes_without_speakers") or {}
    clean = reference.get("clean") or reference["verbatim"]
    items = _items(notes)
    facts = {word for word in words(clean, language) if _is_number(word)}
    for text in (*_texts(notes, "decisions"), *(item.get("description") or "" for item in items)):
        facts |= key_words(text, language)
    for name in (*_texts(notes, "participants"), *(item.get("assignee") or "" for item in items)):
        facts |= set(words(name, language))
    if language == "en":
        for day in (notes.get("meeting_date"), *(item.get("due_date") for item in items)):
            facts |= _english(day)
    return facts & set(words(transcript, language)) & set(words(clean, language))


def lost(facts: Iterable[str], clean: str, language: str) -> list[str]:
    """Return the facts whose words a clean transcript lacks."""
    there = set(words(clean, language))
    return sorted(fact for fact in facts if fact not in there)


def in_notes(right: Notes, notes: Notes, language: str) -> dict[str, dict[str, int]]:
    """Return how many decisions, action items and names of the right notes some other notes have, by kind."""

    def same(wording: str, other: str) -> bool:
        need = key_words(wording, language)
        return len(need & key_words(other, language)) >= ENOUGH_WORDS * len(need)

    def same_item(item: Notes, other: Notes) -> bool:
        return (
            item.get("due_date") == other.get("due_date")
            and words(item.get("assignee") or "", language) == words(other.get("assignee") or "", language)
            and same(item.get("description") or "", other.get("description") or "")
        )

    def same_name(name: str, other: str) -> bool:
        return words(name, language) == words(other, language)

    return {
        "decisions": _count(same, _texts(right, "decisions"), _texts(notes, "decisions")),
        "action_items": _count(same_item, _items(right), _items(notes)),
        "names": _count(same_name, _texts(right, "participants"), _texts(notes, "participants")),
    }


def _texts(notes: Notes, field: str) -> list[str]:
    """Return the texts of a list in notes, which may follow any template."""
    value = notes.get(field)
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def _items(notes: Notes) -> list[Notes]:
    value = notes.get("action_items")
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _count(same: Any, right: Sequence[Any], found: Sequence[Any]) -> dict[str, int]:
    """Match each right item with at most one of the items found."""
    left, hits = list(found), 0
    for item in right:
        match = next((place for place, other in enumerate(left) if same(item, other)), None)
        if match is not None:
            del left[match]
            hits += 1
    return {"found": hits, "of": len(right), "written": len(found)}


def _is_number(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _english(day: str | None) -> set[str]:
    """Return the English words for a day in ISO 8601 form; none for any other form."""
    try:
        when = date.fromisoformat(day or "")
    except ValueError:
        return set()
    return {MONTHS[when.month - 1], DAYS[when.weekday()], str(when.day), str(when.year)}
