"""Where an English text has fillers: what a speaker says to win time, and that can go without a loss.

A sound ("um") is a filler anywhere. A word that also means something ("like", "well", "right") is one only where it
can't mean it: at the start of a sentence, or between pauses, as the word asks. A filler counts as a pause itself, so
that "Okay, so, um, well," goes as a whole; that is found in a few rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from maie.wording.spelling import Piece

SOUNDS = frozenset("um umm ummm uh uhh uhm er erm eh ehm ah hm hmm hmmm mm mmm mhm huh".split())
_ROUNDS = 4
_MOST_WORDS = 6

_AT_START = frozenset(
    "well|okay|yeah|oh|basically|actually|honestly|anyway|anyways|i mean|you know|you see|you know what|all right|look|"
    "see|listen|right|now|like|and".split("|")
)
"""Fillers at the start of a sentence; the last six and "you see" only before a pause or another filler."""

_AT_START_BEFORE_PAUSE = frozenset("you see|you know what|look|see|listen|right|now|like|anyway|anyways".split("|"))

_BETWEEN_PAUSES = frozenset(
    "well|okay|yeah|oh|right|like|basically|actually|honestly|literally|anyway|i mean|you know|you see|sort of|kind of|"
    "you know what i mean|if you know what i mean|let me see|let us see|let me think|i do not know|what 's it called|"
    "what is it called|what was it|what 's his name|what 's her name|what 's the word|what do you call it|how do i say|"
    "how should i say|how do you say|how shall i put it|all right|one second|one moment|hold on|hang on".split("|")
)

_ANYWHERE = frozenset("basically|literally|actually|i mean|you know|sort of|kind of|like|let me see".split("|"))
"""Fillers without any pause, where the words around don't give them a meaning."""

_PHRASES = _AT_START | _BETWEEN_PAUSES | _ANYWHERE | {"so", "and"}

_NO_SO = frozenset("far few little long many much that called".split())
_NO_WELL = frozenset("done known said".split())
_NEGATIONS = frozenset("not never no nothing nobody none neither nor without".split())
_BEFORE_KNOW = frozenset(
    "as because before could did do does how if let must once should that to what when where which who why will would "
    "and so all than until".split()
)
_AFTER_KNOW = frozenset(
    "a about all any each everything everybody her him his how it me my nothing of our someone something that the "
    "their them this us what when where whether which who why your".split()
)
_BEFORE_KIND = frozenset(
    "a all an another any each every many no one other same some that the these this those what".split()
)
_SUBJECTS = frozenset("i you he she it we they there".split())
_BEFORE_LIKE_VERB = frozenset(
    "i you we they he she it who people would will not to do does did feel feels felt look looks looked sound sounds "
    "sounded seem seems seemed taste tastes smell smells more much just really always never also things something "
    "nothing anything".split()
)
_AFTER_LIKE_FILLER = frozenset(
    "ever half no really super totally pretty very nothing everything every literally about".split()
)
_PREPOSITIONS = frozenset("about at by for from in into of on over through under until with within without".split())
_ROUND_NUMBERS = frozenset("hundred thousand million billion dozen couple few".split())


class _Text:
    """A text, and which of its pieces are fillers so far."""

    def __init__(self, pieces: Sequence[Piece], openings: Collection[int]) -> None:
        self.pieces = pieces
        self.openings = openings
        self.words = [piece.text for piece in pieces]
        self.filled = [piece.text in SOUNDS for piece in pieces]

    def word(self, place: int) -> str:
        return self.words[place] if 0 <= place < len(self.words) else ""

    def pause_at(self, place: int) -> bool:
        """Whether there is a pause before a place: punctuation, a filler, or an end of the text."""
        last = len(self.pieces)
        return place in (0, last) or self.pieces[place].after_pause or self.filled[place - 1] or self.filled[place]

    def sentence_at(self, place: int) -> bool:
        """Whether a sentence begins at a place, fillers left aside."""
        while place > 0 and not self.pieces[place].after_sentence and place not in self.openings:
            if not self.filled[place - 1]:
                return False
            place -= 1
        return True

    def ends_at(self, place: int) -> bool:
        """Whether a sentence ends before a place, fillers left aside."""
        while place < len(self.pieces) and not self.pieces[place].after_sentence:
            if not self.filled[place]:
                return False
            place += 1
        return True


def fillers(pieces: Sequence[Piece], openings: Collection[int] = ()) -> dict[int, int]:
    """Return where fillers of an English text begin, and where the longest one that begins there ends.

    Args:
        pieces: The text.
        openings: Where sentences begin anew, besides those that punctuation tells.
    """
    text = _Text(pieces, openings)
    found = {place: place + 1 for place, filled in enumerate(text.filled) if filled}
    for _ in range(_ROUNDS):
        before = len(found)
        for start in range(len(pieces)):
            for end in _ends(text, start):
                found[start] = max(end, found.get(start, 0))
                text.filled[start:end] = [True] * (end - start)
        if len(found) == before:
            break
    return found


def _ends(text: _Text, start: int) -> Iterator[int]:
    """Yield the ends of the fillers that begin at a place; there may be sounds within them."""
    if text.words[start] in SOUNDS:
        return
    phrase = ""
    for end in range(start + 1, min(start + _MOST_WORDS, len(text.words)) + 1):
        word = text.words[end - 1]
        if word in SOUNDS:
            continue
        phrase = f"{phrase} {word}".strip()
        if phrase in _PHRASES and _is_filler(text, phrase, start, end):
            yield end


def _is_filler(text: _Text, phrase: str, start: int, end: int) -> bool:
    pause_before, pause_after = text.pause_at(start), text.pause_at(end)
    if phrase in _BETWEEN_PAUSES and pause_before and pause_after:
        if phrase == "i do not know" and (text.sentence_at(start) or text.ends_at(end)):
            return False  # an answer
        return not (phrase == "actually" and text.word(start - 1) in _NEGATIONS)
    if text.sentence_at(start) and _is_opening(text, phrase, start, end):
        return True
    if phrase == "so":
        opening = text.word(start - 1) in ("and", "but") and text.sentence_at(start - 1) and pause_after
        return opening or (pause_before and text.ends_at(end))
    return phrase in _ANYWHERE and _IN_THE_MIDDLE[phrase.split()[-1]](text, start, end)


def _is_opening(text: _Text, phrase: str, start: int, end: int) -> bool:
    """Whether a phrase that begins a sentence says nothing there."""
    following, pause_after = text.word(end), text.pause_at(end)
    if phrase == "so":
        return pause_after or following not in _NO_SO
    if phrase == "well":
        return following not in _NO_WELL
    if following in ("is", "was", "'s") and not pause_after:
        return False  # "okay is a word"
    if phrase == "like" and not pause_after:
        return start > 0 and following in _SUBJECTS
    if phrase in ("look", "see", "listen", "right", "now") and not pause_after:
        return phrase == "look" and following in _SUBJECTS
    if phrase in _AT_START_BEFORE_PAUSE:
        return pause_after
    if phrase == "you know" and not pause_after:
        return following not in _AFTER_KNOW
    if phrase == "i mean" and not pause_after:
        return following not in ("it", "that", "this", "what") or text.word(end + 1) not in ("", "when", "by")
    return phrase in _AT_START


def _adverb(text: _Text, start: int, _: int) -> bool:
    return text.word(start - 1) not in _NEGATIONS


def _know(text: _Text, start: int, end: int) -> bool:
    if end == len(text.words) and any(piece.after_pause for piece in text.pieces):
        return False  # "people you know"
    return text.word(start - 1) not in _BEFORE_KNOW and text.word(end) not in _AFTER_KNOW


def _mean(text: _Text, start: int, end: int) -> bool:
    whole = end + 1 < len(text.words) and not text.pieces[end + 1].after_pause  # "I mean it" says something
    return whole and text.word(start - 1) not in ("what", "know", "that", "if") and text.word(end) in _SUBJECTS


def _kind(text: _Text, start: int, _: int) -> bool:
    before = {text.word(start - 1), text.word(start - 2)}
    return text.pause_at(start) or not before & _BEFORE_KIND or text.word(start - 1) in ("is", "was", "'s")


def _like(text: _Text, start: int, end: int) -> bool:
    before, after, following = text.word(start - 1), text.word(end), text.word(end + 1)
    if before in _BEFORE_LIKE_VERB:
        return False
    number = end < len(text.words) and text.pieces[end].is_number
    vague = after == "a" and following in _ROUND_NUMBERS
    exactly = before in ("is", "was", "are", "were", "'s") and after.endswith("ly")
    return (
        number
        or vague
        or exactly
        or after in _AFTER_LIKE_FILLER
        or before in _PREPOSITIONS
        or (end < len(text.words) and text.pause_at(end))
    )


def _see(text: _Text, start: int, end: int) -> bool:
    return text.pause_at(start) and text.pause_at(end)


_IN_THE_MIDDLE: dict[str, Callable[[_Text, int, int], bool]] = {
    "basically": _adverb,
    "literally": _adverb,
    "actually": _adverb,
    "know": _know,
    "mean": _mean,
    "of": _kind,
    "like": _like,
    "see": _see,
}
