"""The text of the corpus: splits, disfluencies, meetings with their notes, and what numbers sound like."""

from __future__ import annotations

import itertools
import random
from datetime import date

import numpy as np
import pytest
from maie_training import audio, cli, patterns, spoken, voices, words
from maie_training.corpus import Plan, Recording, plan_meeting, plan_sentence, rttm
from maie_training.disfluency import disfluent
from maie_training.meetings import Meeting, MeetingComposer
from maie_training.sentences import Writer
from maie_training.slots import has_slots
from maie_training.splits import Side, Split, side_of, words_of
from maie_training.wer import word_error_rate

FILLERS = {"um", "uh", "er"}


def singles(split: Split, count: int = 300, seed: int = 1) -> list[str]:
    writer = Writer(random.Random(seed), split)
    return [writer.single().clean for _ in range(count)]


def meetings(split: Split, count: int = 20, seed: int = 1) -> list[Meeting]:
    composer = MeetingComposer(random.Random(seed), split)
    return [composer.compose() for _ in range(count)]


def is_part_of(short: list[str], long: list[str]) -> bool:
    """Say whether all of ``short`` stands in ``long`` in the same order."""
    rest = iter(long)
    return all(word in rest for word in short)


def test_same_seed_gives_the_same_plans() -> None:
    split, recording = Split("train"), Recording()

    def draw(seed: int) -> list[Plan]:
        return [plan_sentence(seed, 3, split, recording), plan_meeting(seed, 3, split, recording)]

    assert draw(7) == draw(7)
    assert draw(7)[0].turns != draw(8)[0].turns
    assert draw(7)[1].turns != draw(8)[1].turns


def test_an_item_does_not_depend_on_those_before_it() -> None:
    late = plan_sentence(5, 9, Split(), Recording())
    plan_sentence(5, 8, Split(), Recording())
    assert plan_sentence(5, 9, Split(), Recording()) == late


@pytest.mark.parametrize("side", ["train", "heldout"])
def test_every_sentence_is_on_the_side_that_was_asked_for(side: Side) -> None:
    assert {side_of("sentence", text) for text in singles(Split(side))} == {side}


def test_without_a_side_sentences_come_from_both() -> None:
    assert {side_of("sentence", text) for text in singles(Split())} == {"train", "heldout"}


def test_training_and_held_out_meetings_share_no_sentence_with_slots() -> None:
    phrases = {phrase.lower() for phrase in (*patterns.ANSWERS, *patterns.FAREWELLS)}

    def said(side: Side) -> set[str]:
        return {
            sentence.clean
            for meeting in meetings(Split(side), 60)
            for turn in meeting.turns
            for sentence in turn.sentences
            if sentence.clean.lower() not in phrases and not sentence.clean.startswith("Hello, this is")
        }

    train, held_out = said("train"), said("heldout")
    assert len(train) > 500
    assert not train & held_out


def test_held_out_names_are_never_used_in_training() -> None:
    names = {name for name in words.FIRST_NAMES if side_of("name", name) == "heldout"}
    assert 5 <= len(names) <= 25
    used = {word for text in singles(Split(names="train"), 500) for word in text.replace(",", " ").split()}
    assert not used & names
    present = {person for meeting in meetings(Split(names="heldout")) for person in meeting.notes.participants}
    assert present <= names


def test_held_out_patterns_are_never_used_in_training() -> None:
    every = {pattern for group in patterns.SINGLE_GROUPS for pattern in group if has_slots(pattern)}
    allowed = {pattern for pattern in every if Split(patterns="train").allows("pattern", pattern)}
    assert 10 <= len(every - allowed) <= 40
    writer = Writer(random.Random(1), Split(patterns="train"))
    assert {writer.choose(tuple(every)) for _ in range(2000)} == allowed


def test_material_exists_on_every_combination_of_sides() -> None:
    sides: tuple[Side, ...] = ("train", "heldout")
    for sentences in sides:
        for names in sides:
            for pattern in sides:
                split = Split(sentences, names, pattern)
                assert singles(split, 3)
                assert meetings(split, 3)


def test_disfluencies_add_words_and_take_none_away() -> None:
    rng = random.Random(1)
    clean = singles(Split(), 400)
    spoken_ones = [disfluent(text, rng, 1.0) for text in clean]
    assert all(is_part_of(words_of(a), words_of(b)) for a, b in zip(clean, spoken_ones, strict=True))
    assert all(len(words_of(a)) < len(words_of(b)) for a, b in zip(clean, spoken_ones, strict=True))
    assert all(text[0].isupper() for text in spoken_ones)
    assert [disfluent(text, rng, 0.0) for text in clean] == clean


def test_meetings_have_fillers_only_in_what_was_really_said() -> None:
    sentences = [sentence for meeting in meetings(Split()) for turn in meeting.turns for sentence in turn.sentences]
    assert any(FILLERS & set(words_of(sentence.verbatim)) for sentence in sentences)
    assert not any(FILLERS & set(words_of(sentence.clean)) for sentence in sentences)
    assert not any(character.isdigit() for sentence in sentences for character in sentence.verbatim)


def test_notes_say_what_the_meeting_said() -> None:
    for meeting in meetings(Split(), 60):
        notes = meeting.notes
        clean = " ".join(sentence.clean for turn in meeting.turns for sentence in turn.sentences)
        day = date.fromisoformat(notes.meeting_date)
        assert 2 <= len(notes.participants) <= 4
        assert {turn.speaker for turn in meeting.turns} == set(notes.participants)
        assert notes.title.split()[1] in clean
        assert spoken.full_date(day) in clean
        assert all(item.lower() in clean.lower() for item in notes.agenda)
        for decision in notes.decisions:
            assert is_part_of(words_of(decision), words_of(clean)), decision
        for item in notes.action_items:
            assert item.description.lower() in clean.lower()
            assert item.assignee in notes.participants
            assert item.description[1:] in notes.summary
            if item.due_date:
                due = date.fromisoformat(item.due_date)
                assert due > day
                assert any(form(due) in clean for form in (spoken.day_month, spoken.month_day))


def test_meetings_have_decisions_and_action_items_with_and_without_dates() -> None:
    notes = [meeting.notes for meeting in meetings(Split(), 60)]
    dates = [item.due_date for entry in notes for item in entry.action_items]
    assert sum(len(entry.decisions) for entry in notes) > 60
    assert None in dates
    assert len([due for due in dates if due]) > 60


def test_one_speaker_never_has_two_turns_in_succession() -> None:
    for meeting in meetings(Split()):
        people = [turn.speaker for turn in meeting.turns]
        assert all(first != second for first, second in itertools.pairwise(people))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety-nine"),
        (205, "two hundred and five"),
        (1700, "one thousand seven hundred"),
        (38_000, "thirty-eight thousand"),
        (999_999, "nine hundred and ninety-nine thousand nine hundred and ninety-nine"),
    ],
)
def test_cardinals_are_said_in_words(number: int, expected: str) -> None:
    assert spoken.cardinal(number) == expected


def test_numbers_beyond_the_words_are_refused() -> None:
    with pytest.raises(ValueError, match="no words for 1000000"):
        spoken.cardinal(1_000_000)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (22, "twenty-second"), (30, "thirtieth"), (15, "fifteenth")],
)
def test_ordinals_are_said_in_words(number: int, expected: str) -> None:
    assert spoken.ordinal(number) == expected


def test_dates_and_times_are_said_in_words() -> None:
    day = date(2026, 3, 14)
    assert spoken.full_date(day) == "Saturday the fourteenth of March twenty twenty-six"
    assert spoken.month_day(day) == "March the fourteenth"
    assert spoken.year(2007) == "twenty oh seven"
    assert [spoken.clock(12, minute) for minute in (0, 15, 30, 45)] == [
        "twelve o'clock",
        "quarter past twelve",
        "half past twelve",
        "quarter to one",
    ]


def test_held_out_voices_are_never_those_of_training() -> None:
    rng = random.Random(1)

    def timbres(voice_set: voices.VoiceSet) -> set[str]:
        return {voices.draw_voice(rng, voice_set).name.split("+")[1] for _ in range(500)}

    assert not timbres("train") & timbres("heldout")
    assert len(timbres("train")) > 30


def test_people_of_a_meeting_have_different_voices() -> None:
    rng = random.Random(1)
    for _ in range(100):
        names = [voice.name.split("+")[1] for voice in voices.draw_voices(rng, "heldout", 4)]
        assert len(set(names)) == 4


@pytest.mark.parametrize("kind", audio.NOISE_KINDS)
def test_noise_has_the_level_that_was_asked_for(kind: audio.NoiseKind) -> None:
    silence = np.zeros(160_000, dtype=np.float32)
    noisy = audio.add_noise(silence, kind, 20.0, 0.04, np.random.default_rng(1))
    ratio = 10 * np.log10(0.04 / np.mean(np.square(noisy)))
    assert ratio == pytest.approx(20.0, abs=0.2)


def test_rttm_has_one_line_a_turn() -> None:
    turns = [{"speaker": "Anna", "start": 0.5, "end": 2.25}, {"speaker": "Ben", "start": 3.0, "end": 4.0}]
    assert rttm({"id": "meeting-1-00000", "turns": turns}).splitlines() == [
        "SPEAKER meeting-1-00000 1 0.50 1.75 <NA> <NA> Anna <NA> <NA>",
        "SPEAKER meeting-1-00000 1 3.00 1.00 <NA> <NA> Ben <NA> <NA>",
    ]


def test_word_error_rate_ignores_case_punctuation_and_hyphens_only() -> None:
    assert word_error_rate(["It's the twenty-sixth, Anna."], ["it's the twenty sixth anna"]) == 0
    assert word_error_rate(["its one two three"], ["it's one two"]) == 0.5


def test_a_missing_synthesiser_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    monkeypatch.setenv("PATH", "")
    assert cli.main(["--seed", "1", "--count", "1", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == ("maie-corpus: eSpeak NG is missing: install the Debian package espeak-ng\n")
