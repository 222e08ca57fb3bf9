"""What tells in English speech that something is begun anew or taken back: pauses, and the small words around them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maie.wording.fillers import SOUNDS
from maie.wording.spelling import Piece

Stretch = tuple[int, int]
"""Where a stretch of a text begins and ends, in pieces."""

ARTICLES = frozenset(("a", "an", "the"))
DETERMINERS = ARTICLES | frozenset("this that these those my your his her its our their some any every each no".split())
NOMINATIVES = frozenset("i we he she they".split())
PRONOUNS = NOMINATIVES | {"it", "you", "there"}
AUXILIARIES = frozenset(
    "am is are was were be been 's has have had do does did can could will would shall should may might must".split()
)
PREPOSITIONS = frozenset(
    "about after against at before behind below between by during for from in into like near of on onto over since "
    "through to toward towards under until up with within without".split()
)
JOINERS = frozenset(
    "and but or because so if when while where which who what how why than as although though unless".split()
)
SUBORDINATORS = frozenset("if when while as because since although though unless until whoever whatever".split())
WANTING_MORE = frozenset(
    "need needs needed want wants wanted put make makes made take takes took get gets got give gives gave let lets "
    "used going trying tried try bring brought buy bought added save find found "
    "just really very quite pretty more most too only also even keep kept kind sort lot number other supposed".split()
)
"""Words that something has to follow; so it does an auxiliary, a preposition, or a determiner."""

NEGATIONS = frozenset("not no never nothing nobody none neither nor nowhere without".split())
_BEFORE_INFINITIVE = frozenset("want wants wanted going need needs needed have has had trying tried supposed".split())
_PAST = re.compile(r"\w{3,}ed")
_COMPLETE = frozenset("that this these those her no".split())
_CONTRACTED = frozenset(("s", "re", "m", "ve", "ll", "d"))
_SENTENCE_STARTERS = PRONOUNS | frozenset(
    "let what who where when why how if maybe yes no okay all exactly first good great hi hello perfect thanks thank "
    "please is are can could does do did will would should so and but because nobody everybody everyone someone".split()
)


class Speech:
    """The pieces at some places of a text, as if the others weren't there.

    Attributes:
        pieces: These pieces.
        words: Their texts.
        pauses: Whether there is a pause before each: punctuation, or what is left aside.
        breaks: Whether a dash, dots or a sound like "um" stand before it.
        sentences: Whether a sentence begins with it.
        punctuated: Whether the text has punctuation or capital letters: without them, a pause can't be seen.
    """

    def __init__(self, pieces: Sequence[Piece], places: Sequence[int]) -> None:
        self._places = [*places, len(pieces)]
        self.pieces = [pieces[place] for place in places]
        self.words = [piece.text for piece in self.pieces]
        gaps = [pieces[before + 1 : place + 1] for before, place in zip([-1, *places], places, strict=False)]
        self.pauses = [len(gap) > 1 or any(piece.after_pause for piece in gap) for gap in gaps]
        self.breaks = [any(piece.after_break or piece.text in SOUNDS for piece in gap) for gap in gaps]
        self.sentences = [n == 0 or any(piece.after_sentence for piece in gap) for n, gap in enumerate(gaps)]
        self.punctuated = any(piece.after_pause or (piece.capital and piece.text != "i") for piece in pieces)

    def stretch(self, start: int, end: int) -> Stretch:
        """Return where a stretch of these pieces stands in the whole text."""
        return self._places[start], self._places[end]

    def skipped(self, place: int) -> int:
        """Return how many pieces are left aside before a place."""
        return self._places[place] - self._places[place - 1] - 1 if place else self._places[0]

    def is_contracted(self, place: int) -> bool:
        """Whether it is the end of "it's", "we'll" and the like, which no clause can end with."""
        piece = self.pieces[place]
        return not piece.gap and place > 0 and piece.letters in _CONTRACTED

    def is_open(self, place: int) -> bool:
        """Whether no clause can end with the word at a place."""
        word = self.words[place]
        return word not in _COMPLETE and any(
            word in words for words in (DETERMINERS, NOMINATIVES, AUXILIARIES, PREPOSITIONS, JOINERS, WANTING_MORE)
        )

    def is_name(self, place: int) -> bool:
        """Whether it has a capital letter within a sentence."""
        piece = self.pieces[place]
        return piece.capital and piece.text != "i" and not self.sentences[place] and not piece.cut

    def begins_sentence(self, place: int, before: int) -> bool:
        """Whether a sentence of its own begins at a place, and not what the word at ``before`` asks for."""
        word, last = self.words[place], self.words[before]
        infinitive = last == "to" and before > 0 and self.words[before - 1] in _BEFORE_INFINITIVE
        noun = word in DETERMINERS or self.pieces[place].capital
        if word in _SENTENCE_STARTERS - DETERMINERS or (noun and (infinitive or last in DETERMINERS | NOMINATIVES)):
            return True
        if last == "to" and word not in PREPOSITIONS | JOINERS:
            return False  # "I was going to, um, call her because she is ill", "I went to, um, the bank that was open"
        end = next((n for n in range(place + 1, len(self.words)) if self.pauses[n]), len(self.words))
        rest = self.words[place:end]
        return any(word in AUXILIARIES or word in NOMINATIVES or _PAST.fullmatch(word) for word in rest)
