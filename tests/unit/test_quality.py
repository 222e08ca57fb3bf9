"""What is heard again, and each guard against invented text: what it leaves out, what it leaves alone, what it says."""

from __future__ import annotations

from typing import Any

import pytest
from maie.domain import Segment, Span, Word
from maie.stages import quality

SPEECH = [Span(0, 10), Span(20, 30)]
THANKS = "Thank you all."
NUMBER = "Dial zero zero zero four four four four four."


def segment(start: float, end: float, text: str = "words", **changes: Any) -> Segment:
    values = {"avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.1, **changes}
    return Segment(start, end, text, **values)


@pytest.mark.parametrize(
    ("segments", "wrong"),
    [
        ([segment(0, 9.5)], False),
        ([segment(0, 9.5, avg_logprob=None, no_speech_prob=None)], False),
        ([], False),
        ([segment(0, 9.5, compression_ratio=2.5)], True),
        ([segment(0, 5), segment(5, 9.5, avg_logprob=-1.1)], True),
        ([segment(i, i + 1, THANKS) for i in range(10)], True),
    ],
)
def test_what_looks_wrong(segments: list[Segment], wrong: bool) -> None:
    assert quality.looks_wrong(segments) is wrong


@pytest.mark.parametrize(
    ("segments", "holes"),
    [
        ([segment(0, 9.5), segment(20, 29)], []),
        ([segment(1.3, 9.1), segment(20.8, 28.7)], []),
        ([segment(1.5, 10), segment(20, 30)], [Span(0, 1.5)]),
        ([segment(0, 10), segment(20, 28.5)], [Span(28.5, 30)]),
        ([segment(0, 3), segment(4.5, 10), segment(20, 30)], [Span(3, 4.5)]),
        ([segment(0, 9), segment(21, 30)], [Span(9, 21)]),
        ([segment(0, 30), segment(5, 6)], []),
        ([], [Span(0, 30)]),
    ],
)
def test_where_speech_has_no_text(segments: list[Segment], holes: list[Span]) -> None:
    assert quality.holes(segments, SPEECH) == holes
    assert quality.holes(segments, []) == []


def test_text_for_hardly_any_of_the_speech_is_sparse() -> None:
    assert quality.is_sparse([segment(0, 2), segment(20, 22.9)], SPEECH)
    assert not quality.is_sparse([segment(0, 2), segment(20, 23.1)], SPEECH)
    assert not quality.is_sparse([segment(0, 0.5)], [Span(0, 5)])


def test_evidence_is_sure_text_where_somebody_speaks() -> None:
    assert quality.evidence([segment(0, 10, avg_logprob=0.0)], SPEECH) == 10
    assert quality.evidence([segment(5, 25, avg_logprob=None)], SPEECH) == 10
    assert quality.evidence([segment(0, 10, avg_logprob=-1.0)], SPEECH) == pytest.approx(3.68, abs=0.01)
    assert quality.evidence([segment(i, i + 1, THANKS) for i in range(10)], SPEECH) == 0
    assert quality.evidence([], SPEECH) == 0


def row(number: int, text: str = THANKS) -> list[Segment]:
    """So many segments of the same text in the first stretch of speech."""
    return [segment(i, i + 1, text) for i in range(number)]


@pytest.mark.parametrize(
    ("guard", "segments", "kept"),
    [
        ("noise", [segment(0, 5, avg_logprob=-1.2, no_speech_prob=0.7)], []),
        ("noise", [segment(0, 5, avg_logprob=-0.5, no_speech_prob=0.9)], ["words"]),
        ("noise", [segment(0, 5, avg_logprob=-1.2, no_speech_prob=0.5)], ["words"]),
        ("noise", [segment(0, 5, avg_logprob=None, no_speech_prob=None)], ["words"]),
        ("silence", [segment(11, 19)], []),
        ("silence", [segment(9.9, 19)], []),
        ("silence", [segment(10.2, 10.6, "Sure.")], ["Sure."]),
        ("silence", [segment(15, 15)], []),
        ("silence", [segment(8, 12), segment(25, 25), segment(5, 25)], ["words"] * 3),
        ("credits", [segment(0, 5, "Untertitel der Amara.org-Community")], []),
        ("credits", [segment(0, 5, "Hãy subscribe cho kênh Ghiền Mì Gõ Để không bỏ lỡ những video hấp dẫn")], []),
        ("credits", [segment(0, 5, "Thanks for watching!")], ["Thanks for watching!"]),
        ("loops", row(4), [THANKS]),
        ("loops", row(3), [THANKS] * 3),
        ("loops", row(7, "Yes."), ["Yes."] * 7),
        ("loops", row(8, "Yes."), ["Yes."]),
        ("loops", [segment(i, i + 1, ["One, two.", "Three."][i % 2]) for i in range(8)], ["One, two.", "Three."]),
        ("loops", [segment(0, 9, "So it is, it is, it is, it is. Right.")], ["So it is, Right."]),
        ("loops", [segment(0, 9, NUMBER)], [NUMBER]),
    ],
)
def test_what_each_guard_leaves_out(guard: str, segments: list[Segment], kept: list[str]) -> None:
    stands, warnings = quality.guard(segments, SPEECH)
    assert [s.text for s in stands] == kept
    assert len(warnings) == (kept != [s.text for s in segments])
    others = [g for g in quality.GUARDS if g.check.__name__ != f"without_{guard}"]
    assert len(others) == len(quality.GUARDS) - 1
    assert quality.guard(segments, SPEECH, others) == (segments, ())


def test_what_is_left_out_is_counted() -> None:
    segments = [segment(11, 12), segment(13, 14), segment(0, 5, avg_logprob=-1.2, no_speech_prob=0.7), segment(20, 30)]
    stands, warnings = quality.guard(segments, SPEECH)
    assert stands == segments[3:]
    assert warnings == ("Left out as noise or music: 1 segment.", "Left out because nobody speaks there: 2 segments.")


def test_a_short_word_beside_the_speech_stands() -> None:
    end = SPEECH[0].end
    beside, astray = segment(end + 0.1, end + 0.1, "Bye."), segment(end + 0.5, end + 0.5, "Bye.")
    assert quality.guard([beside, astray], SPEECH)[0] == [beside]


def test_words_of_a_loop_go_with_its_text() -> None:
    text = "Yes, it is good it is good it is good it is good-ish."
    spoken = "Yes, |it |is |good |it |is |good |it |is |good |it |is |good|-ish.".split("|")
    words = tuple(Word(i, i + 1, word.strip(), 0.9) for i, word in enumerate(spoken))
    (shortened,), _ = quality.guard([segment(0, 9, text.replace("-ish.", ""), words=words[:-1])], SPEECH)
    assert shortened.text == "Yes, it is good"
    assert shortened.words == words[:4]


def test_what_stands_and_is_still_doubtful_is_told() -> None:
    segments = [segment(0, 5), segment(5, 9, avg_logprob=-1.5), segment(20, 29, compression_ratio=3.0)]
    assert quality.doubts(segments) == ("2 of 3 segments were recognised with low confidence.",)
    assert quality.doubts(segments[:1]) == ()


def test_confidence_is_weighted_by_length_and_none_where_unknown() -> None:
    assert quality.confidence([segment(0, 9, avg_logprob=0.0), segment(9, 10, avg_logprob=-100.0)]) == 0.9
    assert quality.confidence([segment(0, 9, avg_logprob=None)]) is None
    assert quality.confidence([]) is None
