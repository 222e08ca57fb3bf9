"""What is heard again, by itself or without the client's words to expect, and which hearing stands."""

from __future__ import annotations

import pytest
from maie.asr.base import Recognition, RecognitionRequest
from maie.domain import SAMPLE_RATE, Span, Word
from support.scripted_recogniser import Script, said, segment, transcribe


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 9.5, text="sure")), "sure"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 9.5, text="less", avg_logprob=-1.6)), "words"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 2, text="little")), "words"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(), "words"),
        (said(segment(0, 9.5, text="so " * 40, avg_logprob=-0.1)), said(segment(0, 9, text="so")), "so"),
        (said(), said(segment(0, 9, text="late")), "late"),
    ],
    ids=["surer", "less sure", "less covered", "nothing", "no loop", "something"],
)
def test_of_two_hearings_the_one_with_more_evidence_stands(first: Recognition, second: Recognition, kept: str) -> None:
    engine = Script(first, said(segment(0, 9.5)), again=[second])
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)])
    assert [s.text for s in found.transcript.segments] == [kept, "words"]
    assert [length for length, _ in engine.asked_again] == [10 * SAMPLE_RATE]


def test_only_what_has_no_text_is_heard_again_and_put_in_its_place() -> None:
    late = segment(1, 3, text="late", words=(Word(1, 3, "late", 0.9),))
    engine = Script(said(segment(0, 4), segment(9, 12)), again=[said(late)])
    found, _ = transcribe(engine, [Span(0, 5), Span(5.5, 12)], word_timestamps=True)
    assert [(s.start, s.end, s.text) for s in found.transcript.segments] == [
        (0, 4, "words"),
        (5, 7, "late"),
        (9, 12, "words"),
    ]
    assert found.transcript.segments[1].words == (Word(5, 7, "late", 0.9),)
    assert engine.asked_again == [(5 * SAMPLE_RATE, RecognitionRequest("en", "en", None, True))]


def test_seconds_without_text_are_not_heard_again_where_nobody_speaks() -> None:
    engine = Script(said(segment(0, 4), segment(7, 12)))
    transcribe(engine, [Span(0, 4.5), Span(6.6, 12)])
    assert engine.asked_again == []


def test_what_is_found_without_confidence_fills_no_hole() -> None:
    engine = Script(said(segment(0, 4)), again=[said(segment(0, 5, text="invented", avg_logprob=-1.3))])
    found, _ = transcribe(engine, [Span(0, 10)])
    assert [s.text for s in found.transcript.segments] == ["words"]


def test_punctuation_alone_is_no_text() -> None:
    engine = Script(said(segment(0, 9.5, text="...")), again=[said(segment(0, 9.5))])
    found, _ = transcribe(engine, [Span(0, 10)])
    assert [s.text for s in found.transcript.segments] == ["words"]


def test_a_word_that_others_end_or_begin_with_fills_a_hole() -> None:
    stands = (segment(0, 4, text="We met at the casino."), segment(9, 12, text="Some say so."))
    engine = Script(said(*stands), again=[said(segment(0, 3, text="No. So"))])
    found, _ = transcribe(engine, [Span(0, 12)])
    assert [s.text for s in found.transcript.segments] == [stands[0].text, "No. So", stands[1].text]


def test_without_a_detector_nothing_is_looked_for_where_there_is_no_text() -> None:
    engine = Script(said(segment(0, 4)))
    transcribe(engine, [Span(0, 10)], detected=False)
    assert engine.asked_again == []


@pytest.mark.parametrize("again", ["$50.", "Kevin, PLEASE"])
def test_what_only_says_again_what_stands_beside_it_fills_no_hole(again: str) -> None:
    stands = (segment(0, 4, text="The printer is $1,250."), segment(9, 12, text="Kevin, please order it."))
    engine = Script(said(*stands), again=[said(segment(0, 3, text=again))])
    found, _ = transcribe(engine, [Span(0, 12)])
    assert [s.text for s in found.transcript.segments] == [s.text for s in stands]
    assert len(engine.asked_again) == 1


def test_a_prompt_that_costs_words_is_left_out_and_that_is_told() -> None:
    engine = Script(said(segment(0, 2)), said(segment(0, 9.5)), said(segment(0, 9.5, text="all that was said")))
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)], initial_prompt="Maya")
    assert [s.text for s in found.transcript.segments] == ["all that was said", "words"]
    assert found.warnings == (
        "The initial_prompt cost words in 1 of 2 stretches of speech, which were heard without it.",
    )
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None]


def test_a_prompt_that_costs_words_again_and_again_is_asked_no_more() -> None:
    short, whole = said(segment(0, 2)), said(segment(0, 9.5))
    engine = Script(short, short, whole, whole, short, short, whole, whole, whole)
    found, _ = transcribe(engine, [Span(place, place + 10) for place in range(0, 100, 20)], initial_prompt="Maya")
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None, None, "Maya", None, None, None]
    assert "in 4 of 5 stretches" in found.warnings[0]
    assert found.warnings[0].endswith("heard without it, and so were all after them.")


def test_one_stretch_that_lost_words_to_a_prompt_ends_it_for_no_other() -> None:
    """Engines that take one piece at a time would give it up at once."""
    short, whole = said(segment(0, 2)), said(segment(0, 9.5))
    engine = Script(short, whole, whole, whole)
    engine.batch_size = 1
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30), Span(40, 50)], initial_prompt="Maya")
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None, "Maya", "Maya"]
    assert found.warnings[0].endswith("in 1 of 3 stretches of speech, which were heard without it.")


def test_a_prompt_that_costs_nothing_is_not_blamed() -> None:
    engine = Script(said(segment(0, 4)), said(segment(0, 4)), again=[said()])
    found, _ = transcribe(engine, [Span(0, 10)], initial_prompt="Maya")
    assert found.warnings == ()


HEARD_TWICE = {
    "the last word again": ((0, 4), "we met at the casino.", (0, 5), "Casino. Nobody won.", "Nobody won."),
    "two words again": ((0, 4), "we met at the casino.", (0, 5), "the casino, nobody won.", "nobody won."),
    "the word behind": ((0, 4), "we met.", (0, 5), "Nobody won. Some", "Nobody won."),
    "both": ((0, 4), "we met.", (0.2, 4.9), "met nobody some say", "nobody"),
    "said again after a pause": ((0, 3.2), "we said no", (0, 4), "no never", "no never"),
    "later in the stretch": ((0, 4), "we said no", (1.5, 4), "no never", "no never"),
}


@pytest.mark.parametrize(("before", "text", "times", "again", "left"), HEARD_TWICE.values(), ids=list(HEARD_TWICE))
def test_words_at_the_edges_that_stand_beside_a_stretch_are_not_doubled(
    before: tuple[float, float], text: str, times: tuple[float, float], again: str, left: str
) -> None:
    stands = (segment(*before, text=text), segment(9, 12, text="Some say so."))
    engine = Script(said(*stands), again=[said(segment(*times, text=again))])
    found, _ = transcribe(engine, [Span(0, 3.2), Span(4, 12)])
    assert [s.text for s in found.transcript.segments] == [text, left, "Some say so."]


def test_words_that_are_left_out_take_their_times_along() -> None:
    words = (Word(0, 0.5, "casino.", 0.9), Word(0.7, 1.0, "Nobody", 0.9), Word(1.0, 1.6, "won.", 0.9))
    stands = (segment(0, 4, text="at the casino."), segment(9, 12, text="Some say so."))
    engine = Script(said(*stands), again=[said(segment(0, 1.6, text="casino. Nobody won.", words=words))])
    found, _ = transcribe(engine, [Span(0, 12)], word_timestamps=True)
    kept = found.transcript.segments[1]
    assert (kept.start, kept.end, kept.text) == (4.7, 5.6, "Nobody won.")
    assert [word.text for word in kept.words or ()] == ["Nobody", "won."]
