"""Who and what a transcript really names: what a model writes beyond that is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from maie.domain import Turn
from maie.wording.speech import AUXILIARIES, DETERMINERS, JOINERS, PREPOSITIONS, PRONOUNS
from maie.wording.words import words_of

_SELF = frozenset("i me myself".split())
_NO_NAME = frozenset(
    "nobody none someone somebody anyone anybody everyone everybody all both we us you they he she him her them who "
    "unknown".split()
)
_NUMBERED = re.compile(r"(?:speaker|spk|person|voice|channel|s)?[ _-]*\d+|unknown", re.IGNORECASE)
_OF_EVERY_TALK = frozenset(
    "call conversation discussion interview meeting notes phone plan planning recording report review status talk "
    "update visit".split()
)
_SMALL_WORDS = DETERMINERS | PRONOUNS | AUXILIARIES | PREPOSITIONS | JOINERS
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|er|ly)$")
_STEM = 4


@dataclass(frozen=True)
class Transcript:
    """A transcript, as facts are looked up in it."""

    lines: Sequence[Turn]

    @cached_property
    def speakers(self) -> list[str]:
        """Who speaks, in the order of their first words."""
        return list(dict.fromkeys(line.speaker for line in self.lines if line.speaker))

    @cached_property
    def text(self) -> str:
        """All that was said, with the names of those who speak."""
        return "\n".join(f"{line.speaker or ''} {line.text}" for line in self.lines)

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(_without_s(word) for word in words_of(self.text))

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(map(_stem, self._words))

    def has(self, text: str) -> bool:
        """Whether each word of a text that means something stands in the transcript, in whatever form and place."""
        words = [_without_s(word) for word in words_of(text) if word not in _OF_EVERY_TALK | _SMALL_WORDS]
        return all(word in self._words or _stem(word) in self._stems for word in words)

    def has_name(self, name: str) -> bool:
        """Whether each word of a name stands in the transcript as it is."""
        words = [_without_s(word) for word in words_of(name)]
        return bool(words) and all(word in self._words for word in words)

    def person(self, who: str | None, line: Turn) -> str | None:
        """Return who is meant: a speaker, somebody whom the transcript names, or None.

        Args:
            who: As the model wrote it.
            line: The line that it wrote it of, whose speaker is "I".
        """
        name = " ".join((who or "").split()).strip(".,")
        words = words_of(name)
        if len(words) == 1 and words[0] in _SELF:
            return line.speaker
        if not words or words[0] in _NO_NAME:
            return None
        same = [speaker for speaker in self.speakers if words_of(speaker) == words]
        part = same or [speaker for speaker in self.speakers if set(words) <= set(words_of(speaker))]
        if len(part) == 1:
            return part[0]
        return name if self.has_name(name) else None

    def people(self, named: Iterable[str]) -> list[str]:
        """Return who takes part: the speakers by their names, or else those of the named whom the transcript has."""
        known = [speaker for speaker in self.speakers if not _NUMBERED.fullmatch(speaker)]
        others = [name for name in dict.fromkeys(map(str.strip, named)) if not _NUMBERED.fullmatch(name)]
        return known or [name for name in others if self.has_name(name)]


def _without_s(word: str) -> str:
    return word.removesuffix("'s").removesuffix("'")


def _stem(word: str) -> str:
    """Return what the forms of a word have in common: "fix" of "fixed", "plan" of "planning"; a number is one form."""
    return word if word[:1].isdigit() else _ENDING.sub("", word)[:_STEM]
