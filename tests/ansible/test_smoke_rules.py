"""The rules by which the smoke test judges: states, segments, words, bounds and journals."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils import bounds, journal, smoke_rules, words
from support.smoke import CATALOGUE


@pytest.mark.parametrize(
    ("states", "right"),
    [
        (["PENDING", "PREPROCESSING", "PROCESSING_ASR", "COMPLETE"], True),
        (["COMPLETE"], True),
        (["PENDING", "PROCESSING_ASR", "PREPROCESSING", "COMPLETE"], False),
        (["PENDING", "FAILED"], False),
        (["PENDING", "PROCESSING_ASR"], False),
        (["unknown"], False),
    ],
)
def test_states_go_forward_and_end_well(states: list[str], right: bool) -> None:
    assert smoke_rules.in_order(states) is right


@pytest.mark.parametrize(
    ("segments", "right"),
    [
        ([{"start": 0.0, "end": 2.0}, {"start": 2.0, "end": 9.5}], True),
        ([], False),
        ([{"start": 2.0, "end": 1.0}], False),
        ([{"start": 5.0, "end": 6.0}, {"start": 1.0, "end": 2.0}], False),
        ([{"start": 0.0, "end": 30.0}], False),
    ],
)
def test_segments_lie_in_the_audio_in_order(segments: list[dict[str, float]], right: bool) -> None:
    assert (smoke_rules.segments_problem(segments, 10.0) is None) is right


SAID = "It’s the colour that we’ve chosen: twenty-five boxes, on March fourth."


@pytest.mark.parametrize(
    "heard",
    [
        "It is the color that we have chosen, 25 boxes on March 4th",
        "um, it's THE colour... that we've chosen: uh, twenty five boxes on march 4th!",
    ],
)
def test_one_text_in_two_spellings_is_one_text(heard: str) -> None:
    assert words.word_error_rate(SAID, heard, "en") == 0.0
    assert words.differences(SAID, heard, "en") == []


def test_each_wrong_word_counts_and_each_that_nobody_said() -> None:
    assert words.word_error_rate("We agree on Monday.", "we agree on sunday", "en") == 0.25
    assert words.word_error_rate("We agree on Monday.", "we agree", "en") == 0.5
    assert words.word_error_rate("We agree on Monday.", "We agree on Monday. Thank you for watching.", "en") == 1.0
    assert words.word_error_rate("We agree.", "", "en") == 1.0


@pytest.mark.parametrize(
    ("language", "text", "plain"),
    [
        ("de", "Größe, zwölf – ÄPFEL!", "größe zwölf äpfel"),
        ("vi", "Chào buổi sáng, mọi người.", "chào buổi sáng mọi người"),
        ("hi", "हिन्दी में।", "हिन्दी में"),
        ("ja", "今日は、天気。", "今 日 は 天 気"),
    ],
)
def test_other_languages_keep_their_words(language: str, text: str, plain: str) -> None:
    assert words.normalise(text, language) == plain


def test_without_spaces_letters_are_counted() -> None:
    assert words.word_error_rate("今日は天気", "今日は電気", "ja") == pytest.approx(0.2)


def test_differences_say_what_was_said_and_what_was_heard() -> None:
    said, heard = "We meet on Monday, at ten.", "we meat on monday at about 10"
    assert words.differences(said, heard, "en") == [{"said": "meet", "heard": "meat"}, {"said": "", "heard": "about"}]
    assert words.differences(said, said.upper(), "en") == []
    assert words.differences(said, "", "en") == [{"said": words.normalise(said, "en"), "heard": ""}]


def test_a_bound_is_that_of_the_deployed_model_and_the_language() -> None:
    found = bounds.bound(CATALOGUE, "tried", "en")
    assert (found.wer, found.origin, found.warning) == (0.08, "the catalogue's entry of tried", None)


@pytest.mark.parametrize(
    ("model", "language", "why"),
    [("tried", "de", "has no bound for de"), ("untried", "en", "has no bound for en"), ("own", "en", "is missing")],
)
def test_without_a_bound_a_model_must_work_and_the_operator_is_told(model: str, language: str, why: str) -> None:
    found = bounds.bound(CATALOGUE, model, language)
    assert found.wer == bounds.WORKING
    assert found.warning.startswith(f"{model} was only checked for working at all")
    assert why in found.warning


def test_the_operators_bound_goes_before_all() -> None:
    found = bounds.bound(CATALOGUE, "tried", "en", 0.3)
    assert (found.wer, found.origin, found.warning) == (0.3, "smoke_max_wer", None)
    assert bounds.bound(CATALOGUE, "tried", "en", 0.05).of(20) == 0.05


def test_of_a_short_sample_two_words_may_be_wrong() -> None:
    found = bounds.bound(CATALOGUE, "tried", "en")
    assert [found.of(count) for count in (0, 1, 20, 25, 100)] == [0.4, 0.4, 0.1, 0.08, 0.08]


def test_a_sample_in_a_language_that_the_model_has_not() -> None:
    problem = bounds.language_problem(CATALOGUE, "tried", "vi")
    assert problem.startswith("tried knows en, de, and the sample is in vi: set a sample in a language of the model")
    for model, language in (("tried", "de"), ("untried", "vi"), ("own", "vi")):
        assert bounds.language_problem(CATALOGUE, model, language) is None


def test_errors_of_the_journal() -> None:
    entries = [
        {"PRIORITY": "6", "MESSAGE": '{"event": "worker is ready", "level": "info"}'},
        {"PRIORITY": "6", "MESSAGE": '{"event": "engine died", "level": "error"}'},
        {"PRIORITY": "6", "MESSAGE": "{ not json"},
        {"PRIORITY": "3", "MESSAGE": [72, 105, 255]},
        {"MESSAGE": "no priority"},
    ]
    found = journal.errors("\n".join(json.dumps(entry) for entry in entries))
    assert found == ['{"event": "engine died", "level": "error"}', "Hi\ufffd"]


def test_properties_of_a_unit() -> None:
    assert journal.parse_properties("ActiveState=active\nInvocationID=\nX=a=b\n") == {
        "ActiveState": "active",
        "InvocationID": "",
        "X": "a=b",
    }


@pytest.mark.parametrize(
    ("transcript", "clean", "nothing"),
    [
        ("Um, we buy it.", "Um, we buy it.", True),
        ("Um, we buy it.", "We buy it.", False),
        ("We buy it.", "We buy it.", False),  # the speech model has left out all that could go
        ("Um, we bye it.", "um we bye it", True),
    ],
)
def test_a_clean_transcript_that_nobody_wrote_is_seen(transcript: str, clean: str, nothing: bool) -> None:
    reference = {"verbatim": "Um, we buy it.", "clean": "We buy it."}
    assert smoke_rules.wrote_nothing(reference, transcript, clean) is nothing
