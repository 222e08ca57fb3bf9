"""Talks that people wrote to be spoken: who says what, and the notes that a good secretary would take.

A talk is a YAML file in ``talks/``. In what is said, ``{...}`` is left out of the clean text, and
``[written|spoken]`` gives the synthesiser another spelling than the transcript has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TALKS = Path(__file__).parent / "talks"

_OMITTED = re.compile(r"\{([^{}]*)\}")
_SPELT = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


@dataclass(frozen=True)
class Speaker:
    """How somebody sounds: voice of Kokoro, speed (1: as the voice was made), gain in dB."""

    voice: str
    speed: float
    gain_db: float


@dataclass(frozen=True)
class Turn:
    """What one says at a time.

    ``said`` has the marks. ``gap`` are the seconds since the turn before has ended, negative where
    they overlap; None leaves it to chance.
    """

    who: str
    said: str
    gap: float | None = None

    @property
    def verbatim(self) -> str:
        """Every word, spelt as in a transcript."""
        return _OMITTED.sub(r"\1", _SPELT.sub(r"\1", self.said))

    @property
    def clean(self) -> str:
        """Without fillers, repetitions and what was taken back."""
        text = " ".join(_OMITTED.sub("", _SPELT.sub(r"\1", self.said)).split())
        return re.sub(r"(^|[.?!] )([a-z])", lambda start: start[1] + start[2].upper(), text)

    @property
    def spoken(self) -> str:
        """Every word, spelt for the synthesiser."""
        return _OMITTED.sub(r"\1", _SPELT.sub(r"\2", self.said))


@dataclass(frozen=True)
class Talk:
    """All that is known of a sample before it is spoken; ``notes`` have the form of the template."""

    name: str
    kind: str
    seed: int
    speakers: Mapping[str, Speaker]
    turns: tuple[Turn, ...]
    notes: dict[str, Any]
    notes_without_speakers: dict[str, Any]


def read_talk(name: str, folder: Path = TALKS) -> Talk:
    """Read one of the talks by its name."""
    content = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    notes, told = content["notes"], content["notes_without_speakers"]
    return Talk(
        name=content["id"],
        kind=content["kind"],
        seed=content["seed"],
        speakers={person: Speaker(**voice) for person, voice in content["speakers"].items()},
        turns=tuple(Turn(**turn) for turn in content["turns"]),
        notes={**notes, "action_items": [_task(item) for item in notes["action_items"]]},
        notes_without_speakers={**notes, "action_items": [_as_told(item) for item in notes["action_items"]], **told},
    )


def _task(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("description", "assignee", "due_date")}


def _as_told(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task as the words alone tell it: whose it is may be told by the voice only."""
    return {**_task(item), "assignee": None if item.get("told_by_voice") else item["assignee"]}
