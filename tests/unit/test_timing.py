"""How words with the times of an alignment become segments."""

from __future__ import annotations

import pytest
from maie.asr.timing import Timed, in_segments, plausible


def words(text: str, *, seconds: float = 0.3) -> list[Timed]:
    """Words one behind the other; `` / `` stands for a pause of a second, ``|`` parts what has no space between."""
    found: list[Timed] = []
    now = 0.0
    for part in text.split(" "):
        if part == "/":
            now += 1
            continue
        for place, piece in enumerate(part.split("|")):
            found.append(Timed(piece if place else f" {piece}", now, now + seconds, 0.9))
            now += seconds
    return found


def texts(given: list[Timed]) -> list[str]:
    return ["".join(word.text for word in group).strip() for group in in_segments(given)]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("Sure. I will. Bye", ["Sure.", "I will.", "Bye"]),
        ('"Is it?" Yes!', ['"Is it?"', "Yes!"]),
        ("It costs 3.|5 million. Fine.", ["It costs 3.5 million.", "Fine."]),
        ("Ask Dr. Lee. Now.", ["Ask Dr. Lee.", "Now."]),
        ("so we / go home", ["so we", "go home"]),
        ("一|番|。|二|番|。", ["一番。", "二番。"]),
        ("", [""]),
    ],
)
def test_segments_end_where_sentences_or_pauses_do(text: str, segments: list[str]) -> None:
    assert texts(words(text)) == segments


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    sentence = "one " * 8 + "two, three " + "four " * 30 + "five, six seven."
    assert texts(words(sentence)) == [sentence.removesuffix(" six seven."), "six seven."]


def test_a_word_does_not_take_the_time_of_what_was_not_written() -> None:
    given = [Timed(" Yes.", 0, 9, 0.9), *(Timed(" no", 9 + n / 2, 9.5 + n / 2, 0.9) for n in range(4))]
    given += [Timed(" then.", 11, 20, 0.9), Timed(" Good", 20, 30, 0.9), Timed(" bye", 30, 30.5, 0.9)]
    times = [(word.start, word.end) for word in plausible(given)]
    assert times[0] == (8, 9)
    assert times[1:5] == [(9, 9.5), (9.5, 10), (10, 10.5), (10.5, 11)]
    assert times[5:] == [(11, 12), (29, 30), (30, 30.5)]
    assert plausible([]) == []


def test_a_number_takes_as_long_as_its_words() -> None:
    given = [Timed(" for", 0, 0.4, 0.9), Timed(" $1,250.", 0.4, 2.6, 0.9), Timed(" Kevin", 2.6, 3, 0.9)]
    assert plausible(given) == given
