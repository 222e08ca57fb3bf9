"""Where a text says something twice, begins anew, or takes something back: the words that can go there.

What is found are stretches that may be left out: of a repetition the first time, of a false start all up to the new
start, and of a correction what was wrong together with the words that say so. Which is which is read from the raw text
alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maie.wording.corrections import taken_back
from maie.wording.false_starts import false_starts
from maie.wording.fillers import SOUNDS
from maie.wording.speech import Speech, Stretch
from maie.wording.spelling import Piece

_MOST_REPEATED = 20
_MOST_STAMMERED = 2
_PREFIXES = ("re", "co")


def repetitions(pieces: Sequence[Piece], places: Sequence[int] | None = None) -> Iterator[Stretch]:
    """Yield what is said once more right after, as if a text had nothing but the pieces at some places."""
    places = range(len(pieces)) if places is None else places
    words = [pieces[place].text for place in places]
    for start, word in enumerate(words):
        for length in range(1, min(_MOST_REPEATED, (len(words) - start) // 2) + 1):
            again = start + length
            if word != words[again] or words[start:again] != words[again : again + length]:
                continue
            if length > 1 or _is_said_twice(pieces, places, start):
                yield places[start], places[again]


def repairs(pieces: Sequence[Piece], fillers: Mapping[int, int]) -> set[Stretch]:
    """Return the stretches of an English text that may go, besides its fillers.

    Args:
        pieces: The text.
        fillers: Where fillers begin and end. They don't part what is said twice, and can be a part of it themselves.
    """
    filled = {place for start, end in fillers.items() for place in range(start, end)}
    audible = [place for place, piece in enumerate(pieces) if piece.text not in SOUNDS]
    found = set(repetitions(pieces))
    for places in (audible, [place for place in audible if place not in filled]):
        speech = Speech(pieces, places)
        found.update(repetitions(pieces, places), _cut_words(speech), false_starts(speech), taken_back(speech))
    return found


def _is_said_twice(pieces: Sequence[Piece], places: Sequence[int], start: int) -> bool:
    """Whether a word is repeated, and not a number's digit or a letter of a script without spaces."""
    piece = pieces[places[start]]
    if "\u3040" <= piece.text[0] <= "\u9fff":
        return False  # a doubled letter is a word of its own there
    if not piece.is_number:
        return True
    if any(pieces[place].is_digits for place in places[max(0, start - 1) : start]):
        return False
    following = [pieces[place] for place in places[start + 2 : start + 3] if pieces[place].is_number]
    parted = places[start + 1] > places[start] + 1 or pieces[places[start + 1]].after_pause
    return not following or (parted and not following[0].after_pause)


def _cut_words(speech: Speech) -> Iterator[Stretch]:
    """Yield words that were broken off, "Wed- Thursday", and stammered beginnings, "w-we"."""
    for place, piece in enumerate(speech.pieces[:-1]):
        following = speech.pieces[place + 1]
        cut = piece.cut and following.text not in ("and", "or", "to")  # "pre- and post-war"
        stammered = (
            following.gap == "-"
            and len(piece.text) <= _MOST_STAMMERED
            and following.text.startswith(piece.text)
            and piece.text not in _PREFIXES
        )
        if cut or stammered:
            yield speech.stretch(place, place + 1)
