"""Which part of the language belongs to training and which is held out, decided by hashes.

A sentence, a name and a sentence pattern each have a fixed side, whatever the seed: material made
tomorrow for an evaluation can't repeat a sentence that a model was trained on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, get_args

Side = Literal["train", "heldout", "any"]
SIDES: tuple[Side, ...] = get_args(Side)

_HELD_OUT_PERCENT = {"sentence": 10, "name": 15, "pattern": 15}


def words_of(text: str) -> list[str]:
    """Return the words of ``text``: lower case, no punctuation, apostrophes kept, hyphens split."""
    return re.findall(r"[\w']+", text.lower())


def side_of(kind: str, text: str) -> Side:
    """Return the side of one sentence, name or pattern; ``kind`` says which of the three it is."""
    key = f"{kind}:{' '.join(words_of(text))}"
    bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 100
    return "heldout" if bucket < _HELD_OUT_PERCENT[kind] else "train"


@dataclass(frozen=True)
class Split:
    """The sides from which material may be drawn."""

    sentences: Side = "any"
    names: Side = "any"
    patterns: Side = "any"

    def allows(self, kind: str, text: str) -> bool:
        """Say whether ``text`` (a sentence, a name or a pattern) may be used."""
        wanted = {"sentence": self.sentences, "name": self.names, "pattern": self.patterns}[kind]
        return wanted == "any" or side_of(kind, text) == wanted
