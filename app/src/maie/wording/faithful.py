"""Whether a cleaned line still says what was said.

The clean line's words are the raw line's words, in their order. What may be missing is

* a **filler** (:mod:`maie.wording.fillers`),
* what is said **twice**, what is **begun anew**, and what the speaker **took back** (:mod:`maie.wording.repairs`).

How a word is written doesn't count (:mod:`maie.wording.spelling`): letter case, punctuation, "don't" for "do not",
"5,000" for "five thousand". Any other word that is missing, new, replaced or moved makes it another line. In languages
other than English no fillers are known: only repetitions may go there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from maie.wording.fillers import fillers
from maie.wording.repairs import repairs, repetitions
from maie.wording.speech import Stretch
from maie.wording.spelling import Piece, pieces_of, stretches
from maie.wording.words import words_of

LEAST_ENGLISH = 0.06
"""Least share of the first words below in an English text: there it is 0.1 to 0.3, and next to none elsewhere."""

LEAST_ENGLISH_WITH_COMMON = 0.2
"""The same with words that other languages have too, for texts so short that none of the first may be in them."""

SHORT_WORDS = 10
"""In texts of up to so many words, a single one of either kind is enough."""

_ENGLISH = frozenset(
    "the and that it's you they it this with not what there from your would i'm don't that's she".split()
)
_COMMON = frozenset("i for have are but my can".split())


def is_english(lines: Iterable[str]) -> bool:
    """Whether the lines of a transcript are English, by its most frequent words."""
    words = [word for line in lines for word in words_of(line)]
    english, common = (sum(word in some for word in words) for some in (_ENGLISH, _COMMON))
    if len(words) < SHORT_WORDS:
        return english + common > 0
    return english >= len(words) * LEAST_ENGLISH or english + common >= len(words) * LEAST_ENGLISH_WITH_COMMON


def is_faithful(raw: str, clean: str, english: bool) -> bool:
    """Whether a line's clean form has all its words, except for those that may go.

    Args:
        raw: The line as it was recognised, without its speaker.
        clean: The line as a model cleaned it, likewise.
        english: Whether the transcript is English; see :func:`is_english`.
    """
    said, written = pieces_of(raw), pieces_of(clean)
    if said and not written:
        return False
    if not english:
        return _leads_to(said, written, {}, set(repetitions(said)))
    may_go = repairs(said, fillers(said))
    # "So the, so basically the pump": what follows a false start opens the sentence, and can be a filler there.
    found = fillers(said, {end for start, end in may_go if start == 0 or said[start].after_sentence})
    return _leads_to(said, written, found, may_go | set(found.items()))


def _leads_to(
    said: Sequence[Piece], written: Sequence[Piece], found: dict[int, int], may_go: Iterable[Stretch]
) -> bool:
    """Whether the written words are the said ones without some of the stretches that may go.

    For each place in what was said, the bits of a number tell which places in what is written it can correspond to. One
    operation handles all of them, so that long lines are quick.
    """
    ends: defaultdict[int, set[int]] = defaultdict(set)
    for start, end in may_go:
        ends[start].add(end)
    places: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for start, options in enumerate(stretches(written, {})):
        for end, labels in options:
            for label in labels:
                places[label][end - start] |= 1 << start
    reached = [0] * (len(said) + 1)
    reached[0] = 1
    for start, options in enumerate(stretches(said, found)):
        here = reached[start]
        if not here:
            continue
        for end in ends[start]:
            reached[end] |= here
        for end, labels in options:
            for label in labels:
                for length, starts in places[label].items() if label in places else ():
                    reached[end] |= (here & starts) << length
    return bool(reached[-1] >> len(written) & 1)
