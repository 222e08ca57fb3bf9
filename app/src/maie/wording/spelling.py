"""The words of a text and the ways to write them: ``don't`` and ``do not``, ``5,000`` and ``five thousand``.

A text is read as a row of pieces. A stretch of pieces has labels, and two stretches are the same words where they have
a label in common, however many pieces each has. Letter case and punctuation are no part of any label.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from maie.wording.numerals import DIGITS, NUMBER_WORDS, readings

# Vowel signs and accents are letters here: in many scripts they tell one word from another.
_MARKS = "".join(c for c in map(chr, range(min(sys.maxunicode, 0x1FFFF))) if unicodedata.category(c)[0] == "M")
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"
_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:st|nd|rd|th)(?!\w)|\d+"
    r"|[\u3040-\u30ff\u3400-\u9fff]"  # scripts without spaces, letter by letter
    rf"|'(?:cause|cos|em|til)(?!\w)|{_LETTER}+(?:'{_LETTER}+)*"
    r"|(?<=\d)\.(?=\d)|(?<=\w)\.(?=[a-z]{2})"
    r"|[%$€£&+@=#°^*~\\|]|(?<=\w)[<>/_](?=\w)|(?<!\S)[<>/](?=\s+\w)|(?<!\S)-(?=\d)"
)
_MONEY = re.compile(r"([$€£])\s?(\d(?:[\d.,]*\d)?(?: (?:hundred|thousand|million|billion|trillion)\b)?)")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_CONTRACTION = re.compile(r"(?!ain't)(.+)(n't|'(?:m|re|ve|ll|d|s))")
_ENDINGS = {
    "n't": ("not", ()),
    "'m": ("am", ()),
    "'re": ("are", ()),
    "'ve": ("have", ()),
    "'ll": ("will", ("shall",)),
    "'d": ("would", ("had", "did")),
    "'s": ("'s", ("is", "has", "us")),
}
_BASES = {"ca": "can", "wo": "will", "sha": "shall"}
_LONG_FORMS = {
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "gotcha": "got you",
    "kinda": "kind of",
    "sorta": "sort of",
    "dunno": "do not know",
    "lemme": "let me",
    "gimme": "give me",
    "cannot": "can not",
    "alright": "all right",
    "etc": "et cetera",
}
_SAME = {
    "ok": "okay",
    "'cause": "because",
    "'cos": "because",
    "cuz": "because",
    "'em": "them",
    "'til": "until",
    "till": "until",
    "yep": "yes",
    "yup": "yes",
    "nope": "no",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "vs": "versus",
}
_SYMBOLS = {
    "%": ("percent",),
    "$": ("dollars", "dollar"),
    "€": ("euros", "euro"),
    "£": ("pounds", "pound"),
    "&": ("and",),
    "+": ("plus",),
    "@": ("at",),
    "=": ("equals",),
    "#": ("number", "hashtag", "hash"),
    "°": ("degrees", "degree"),
    ".": ("point", "dot"),
    "/": ("slash",),
    "_": ("underscore",),
    "-": ("minus",),
}
_PAUSE = re.compile(r"[,;:.!?…—–()]|\s-+\s|^-\s|--")
_SENTENCE_END = re.compile(r"[.!?…]")
_BROKEN_OFF = re.compile(r"\.\.|[…—–]|\s-+\s|^-\s|--")
_MONTHS = frozenset("january february march april may june july august september october november december".split())
_MOST_JOINED = 3
_MOST_DIGITS = 12
_MOST_NUMBER_WORDS = 14


@dataclass(frozen=True)
class Piece:
    """A word, or a part of one such as the "not" in "don't".

    Attributes:
        text: In lower case, in its long form.
        labels: The ways to write it.
        letters: What it has of its word, without apostrophe: ``wo`` and ``nt`` of "won't".
        gap: What stands between the piece before and this one.
        capital: Whether it begins with a capital letter.
        cut: Whether the speaker broke it off: "go- ".
    """

    text: str
    labels: frozenset[str]
    letters: str
    gap: str = ""
    capital: bool = False
    cut: bool = False

    @property
    def after_pause(self) -> bool:
        """Whether punctuation stands before it."""
        return bool(_PAUSE.search(self.gap))

    @property
    def after_sentence(self) -> bool:
        """Whether a sentence ends before it."""
        return bool(_SENTENCE_END.search(self.gap))

    @property
    def after_break(self) -> bool:
        """Whether a dash or dots say that the speaker broke off before it."""
        return bool(_BROKEN_OFF.search(self.gap))

    @property
    def is_number(self) -> bool:
        """Whether it is a number, or a word of one."""
        return self.text[:1].isdecimal() or self.text in NUMBER_WORDS

    @property
    def is_digits(self) -> bool:
        """Whether it can be a digit, or some, of a longer number."""
        return bool(_digits(self))


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of a text, in their order."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("ʼ", "'")
    text = _INITIALS.sub(lambda found: found.group().replace(".", ""), _MONEY.sub(r"\2 \1 ", text))
    found: list[Piece] = []
    end = 0
    for token in _TOKEN.finditer(text):
        gap, end = text[end : token.start()], token.end()
        rest = text[end : end + 2]
        cut = rest[:1] == "-" and not rest[1:].isalnum() and token.group()[0].isalpha()
        for number, (piece, labels, letters) in enumerate(_parts(token.group().lower())):
            capital = number == 0 and token.group()[0].isupper()
            found.append(Piece(piece, labels, letters, "" if number else gap, capital, cut))
    return found


def _parts(token: str) -> Iterator[tuple[str, frozenset[str], str]]:
    """Yield the pieces of one token in lower case: text, labels and letters."""
    if token[0].isdecimal():
        digits = token.replace(",", "")
        if digits.isdecimal():
            yield digits, frozenset((digits, digits.lstrip("0") or "0")), digits
        else:
            yield f"{digits[:-2]}th", frozenset((f"{digits[:-2]}th",)), digits
    elif token in _SYMBOLS:
        yield _SYMBOLS[token][0], frozenset((*_SYMBOLS[token], token)), token
    elif token in _LONG_FORMS:
        yield from ((word, frozenset((word,)), word) for word in _LONG_FORMS[token].split())
    elif token in _SAME:
        yield _SAME[token], frozenset((_SAME[token], token)), token
    elif parted := _CONTRACTION.fullmatch(token):
        base, ending = parted.groups()
        for _, labels, letters in _parts(base):
            yield _BASES.get(base, base), labels | {_BASES.get(base, base)}, letters
        word, others = _ENDINGS[ending]
        yield word, frozenset((word, *others)), ending.replace("'", "")
    else:
        word = token.replace("'", "")
        yield word, frozenset((word,)), word


def stretches(pieces: Sequence[Piece], fillers: Mapping[int, int]) -> list[list[tuple[int, frozenset[str]]]]:
    """Return, for each place of a text, the stretches that begin there: where they end, and their labels.

    Args:
        pieces: The text.
        fillers: Where fillers begin and end: a number goes on behind them, "six hundred, um, and ten".
    """
    return [
        [(start + 1, piece.labels), *_joined(pieces, start), *_numbers(pieces, start, fillers)]
        for start, piece in enumerate(pieces)
    ]


def _joined(pieces: Sequence[Piece], start: int) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield what is one word elsewhere: ``web site``, ``e-mail``, ``it's`` without apostrophe, ``five oh five``."""
    letters, digits = pieces[start].letters, _digits(pieces[start])
    for end in range(start + 2, min(len(pieces), start + _MOST_DIGITS) + 1):
        piece = pieces[end - 1]
        if piece.after_pause:
            return
        letters, more = letters + piece.letters, _digits(piece)
        digits = digits and more and digits + more
        if end - start > _MOST_JOINED and not digits:
            return
        yield end, frozenset((letters, digits) if digits else (letters,))


def _digits(piece: Piece) -> str:
    return piece.text if piece.text.isdecimal() else DIGITS.get(piece.text, "")


def _numbers(pieces: Sequence[Piece], start: int, fillers: Mapping[int, int]) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield the numbers in words that begin at a place, each with the labels of its digits."""
    after_month = start > 0 and pieces[start - 1].text in _MONTHS
    words: list[str] = []
    ends: list[int] = []
    place = start
    if pieces[start].text == "a" or (after_month and pieces[start].text == "the"):
        place += 1  # "a hundred" is 100, "May the fifth" is May 5th
    first = place
    while place < len(pieces) and len(words) < _MOST_NUMBER_WORDS:
        behind_filler = place in fillers
        while place in fillers:
            place = fillers[place]
        if place == len(pieces) or (place > first and pieces[place].after_pause and not behind_filler):
            break
        words.append(pieces[place].text)
        place += 1
        ends.append(place)
    if first > start and pieces[start].text == "a" and words[:1] and words[0] not in ("hundred", "thousand", "million"):
        return
    for reading in readings(words):
        rank, value = f"{reading.value}th", reading.value
        if first > start and pieces[start].text == "the" and not reading.rank:
            continue
        labels = (rank, value) if after_month else (rank,) if reading.rank else (value,)
        yield ends[reading.words - 1], frozenset(labels)
