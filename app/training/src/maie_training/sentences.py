"""Single sentences of the meeting language, each on the wanted side of every split."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from maie_training import patterns
from maie_training.disfluency import Habits, disfluent
from maie_training.senseless import random_sentence, scrambled
from maie_training.slots import SlotFiller, has_slots
from maie_training.splits import Split
from maie_training.vocabulary import Vocabulary

_MOST_TRIES = 200_000
_Drawn = TypeVar("_Drawn")


@dataclass(frozen=True)
class Sentence:
    """One sentence as it is spoken (``verbatim``) and as a clean transcript has it (``clean``)."""

    verbatim: str
    clean: str


class Writer:
    """Writes sentences with one random generator.

    ``filler_rate`` is the probability that a sentence is spoken with a disfluency, ``habits`` which
    ones there are, ``known`` the words to fill patterns with.
    """

    def __init__(
        self,
        rng: random.Random,
        split: Split,
        filler_rate: float = 0.3,
        known: Vocabulary | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.rng = rng
        self.split = split
        self.filler_rate = filler_rate
        self.habits = habits
        self.slots = SlotFiller(rng, split, known)

    def choose(self, group: Sequence[str]) -> str:
        """Return one of the group's patterns that the split allows.

        A group that has no pattern on that side gives any: meetings need each kind of sentence.
        """
        allowed = [pattern for pattern in group if self.split.allows("pattern", pattern)]
        return self.rng.choice(allowed or list(group))

    def allowed(self, *texts: str) -> bool:
        """Say whether all these sentences are on the wanted side."""
        return all(self.split.allows("sentence", text) for text in texts)

    def until_allowed(self, draw: Callable[[], _Drawn | None]) -> _Drawn:
        """Call ``draw`` until it returns something. Raises RuntimeError when it never does."""
        for _ in range(_MOST_TRIES):
            drawn = draw()
            if drawn is not None:
                return drawn
        raise RuntimeError("no sentence of this pattern is on the wanted side of the split")

    def spoken(self, clean: str) -> Sentence:
        """Return the sentence with what a speaker adds to it."""
        return Sentence(disfluent(clean, self.rng, self.filler_rate, self.habits), clean)

    def write(self, group: Sequence[str], given: Mapping[str, str] | None = None) -> Sentence:
        """Return a sentence from one of the group's patterns, with some slots given."""

        def draw() -> str | None:
            pattern = self.choose(group)
            text = self.slots.fill(pattern, given)
            return text if not has_slots(pattern) or self.allowed(text) else None

        return self.spoken(self.until_allowed(draw))

    def single(self) -> Sentence:
        """Return a sentence from any group, one that is strictly on the wanted sides."""
        usable = [
            pattern
            for group in patterns.SINGLE_GROUPS
            for pattern in group
            if has_slots(pattern) and self.split.allows("pattern", pattern)
        ]
        return self.write(usable)

    def senseless(self) -> Sentence:
        """Return a sentence that makes no sense, all of random words or with some among its own."""
        rng, side, names = self.rng, self.split.names, sorted(self.slots.words.names)
        if rng.random() < 0.5:
            return self.spoken(random_sentence(rng, side, names))
        return self.spoken(scrambled(self.single().clean, rng, side, names))

    def short_answer(self) -> Sentence:
        """Return a phrase without slots, the same on both sides of every split."""
        return self.spoken(self.rng.choice(patterns.ANSWERS))
