"""Written talks: what people say in many fields of life and work, and the notes that a good secretary takes of it.

Nobody has spoken them yet. A field is a YAML file of several documents; in what is said, ``{...}`` is left out of the
clean text, as in :mod:`maie_training.talk`. Numbers and dates are written as a recogniser writes them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from maie_training.talk import Turn

FOLDER = Path(__file__).parents[2] / "talks"
_VALIDATION_FIELDS = 22


@dataclass(frozen=True)
class Fact:
    """Something that was said, and the words by which a summary shows that it has it: one of each group."""

    fact: str
    words: tuple[tuple[str, ...], ...]

    def is_in(self, text: str) -> bool:
        """Whether a text in small letters has the fact."""
        return all(any(word.lower() in text for word in group) for group in self.words)


@dataclass(frozen=True)
class WrittenTalk:
    """A talk.

    Attributes:
        field: What it is about, one for each file.
        kind: Meeting, phone call, interview and the like.
        notes: Of the form of the template ``meeting_notes_v1``.
        by_voice: Of each action item, whether only the voice tells whose it is.
        facts: The most important things first; only of talks that judge a model.
    """

    name: str
    field: str
    kind: str
    turns: tuple[Turn, ...]
    notes: dict[str, Any]
    by_voice: tuple[bool, ...]
    facts: tuple[Fact, ...]

    @property
    def clean(self) -> str:
        """All that is said, without slips."""
        return " ".join(turn.clean for turn in self.turns)


def read_talks(folder: Path = FOLDER) -> Iterator[WrittenTalk]:
    """Yield the talks of a folder, field by field."""
    for path in sorted(folder.glob("*.yaml")):
        for content in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            items = content["notes"]["action_items"]
            yield WrittenTalk(
                name=content["id"],
                field=content["field"],
                kind=content["kind"],
                turns=tuple(Turn(**turn) for turn in content["turns"]),
                by_voice=tuple(item.pop("told_by_voice", False) for item in items),
                notes=content["notes"],
                facts=tuple(Fact(fact["fact"], tuple(map(tuple, fact["words"]))) for fact in content.get("facts", ())),
            )


def validation_fields(talks: Iterable[WrittenTalk]) -> set[str]:
    """Return the fields by which settings are chosen, such as the least confidence: some of all, always the same."""
    return set(random.Random(7).sample(list(dict.fromkeys(talk.field for talk in talks)), _VALIDATION_FIELDS))
