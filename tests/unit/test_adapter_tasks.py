"""What the language model is asked and trained on, how its answers are read, and how they are judged."""

from __future__ import annotations

import itertools
import math
import random
import re
from dataclasses import replace

import pytest
from maie_training.adapter import material, tasks
from maie_training.adapter.judge import Figures
from maie_training.adapter.material import Material, lines_of, settled_sample
from maie_training.adapter.placing import Sentence, place, sentences_of
from maie_training.adapter.quotes import telling_lines
from maie_training.adapter.tasks import Settled, Token, credible, key_words, read_overview, read_settled, supported
from maie_training.adapter.variants import things_in, varied
from maie_training.written import read_talks, validation_fields
from support.audiofiles import ROOT

JUDGING = list(read_talks(ROOT / "tests/cases/talks"))
TRAINING = list(itertools.islice(read_talks(), 48))


def tokens(text: str, log_probability: float = 0.0) -> list[Token]:
    return [Token(part, log_probability) for part in re.findall(r"\n| ?[^\s:]+|:", text)]


def read(text: str) -> list[tuple[int, str, str | None, str, str | None]]:
    return [(item.line, item.kind, item.who, item.text, item.date) for item in read_settled(tokens(text))]


def test_rows_are_read() -> None:
    answer = "1 no\n2 task Dr. Patel: Ring Oslo: now (2026-05-12)\n2 decision Meet at 9\n3 task nobody: Buy salt\n4 no"
    assert read(answer) == [
        (2, "task", "Dr. Patel", "Ring Oslo: now", "2026-05-12"),
        (2, "decision", None, "Meet at 9", None),
        (3, "task", None, "Buy salt", None),
    ]


def test_a_line_break_in_one_token_with_a_bracket_ends_a_row() -> None:
    words = ["1", " task", " Ann", ":", " Go", " (2026-05-12", ")\n", "2", " decision", " Stay", ".\n", "3", " no"]
    found = read_settled([Token(word, 0.0) for word in words])
    assert [(item.line, item.text, item.date) for item in found] == [(1, "Go", "2026-05-12"), (2, "Stay.", None)]


@pytest.mark.parametrize(
    "row", ["", "no", "task Ann: Go", "1 task Ann", "1 task : Go", "x 2 decision Go", "1 decision"]
)
def test_what_is_no_row_settles_nothing(row: str) -> None:
    assert read(row) == []


def test_confidence_is_of_kind_and_person_and_an_average_word() -> None:
    half = math.log(0.5)
    row = [Token("1", half), Token("2", half), Token(" task", half), Token(" Ann", half), Token(":", -9.0)]
    row += [Token(" Go", 0.0), Token(" home", 2 * half)]
    (item,) = read_settled(row)
    assert item.confidence == pytest.approx(0.5 * 0.5 * 0.5)


def item(text: str, confidence: float, who: str | None = "Ann") -> Settled:
    return Settled(1, "task", who, text, None, confidence)


def test_what_is_doubtful_or_said_twice_is_left_out() -> None:
    text = "Ring the dentist in Oslo on Friday"
    once = item(text, 0.9)
    found = [item(text, 0.8), once, item(text, 0.8, "Ben"), item("Write to the dentist in Bergen", 0.2)]
    assert credible(found, [text], 0.5) == [once, found[2]]


def test_an_item_is_trusted_less_that_its_line_does_not_say_or_that_says_little() -> None:
    text = "Ring the dentist in Oslo on Friday morning"
    assert supported(item(text, 0.9), [text]) == pytest.approx(0.9)
    assert supported(item(text, 0.9), ["Yes."]) == supported(item(text, 0.9), []) == pytest.approx(0.9 * 0.6)
    assert supported(item("Ring", 0.9), ["Ring."]) == pytest.approx(0.9 * 3 / 7)


def test_an_overview_is_read_by_names() -> None:
    answer = "Title: A call\nDate: unknown\nTags: a, b\nSummary: Ann rings: twice."
    assert read_overview(answer) == {"Title": "A call", "Tags": "a, b", "Summary": "Ann rings: twice."}


def test_a_task_is_placed_where_it_is_taken() -> None:
    talk = next(talk for talk in JUDGING if talk.name == "ice-rink-1")
    sentences = sentences_of(talk)
    at = place("Ring Hamar tonight and hold a time for the match", "Coach Dumont", sentences, task=True)
    assert sentences[at].said == "I'll ring Hamar tonight and hold a time."
    at = place("If the ice isn't freezing by noon tomorrow, the match goes to Hamar", None, sentences, task=False)
    assert sentences[at].said.endswith("the match goes to Hamar.")


def test_of_lines_that_name_a_thing_the_one_that_gives_or_takes_it_is_found() -> None:
    said = (
        ("Ann", "The parcel is for the dentist."),
        ("Ben", "I'll take the parcel to the dentist."),
        ("Ann", "The parcel!"),
    )
    sentences = [Sentence(number, who, text) for number, (who, text) in enumerate(said)]
    assert place("Take the parcel", "Ben", sentences, task=True) == 1
    asked = [Sentence(0, "Ann", "Cy, would you bring the parcel?"), Sentence(1, "Ben", "The parcel is bulky.")]
    assert place("Carry the parcel", "Cy", asked, task=True) == 0


def test_each_line_has_its_row_and_each_item_its_place() -> None:
    for talk in (*JUDGING, *TRAINING):
        sample = settled_sample(talk, speakers=True)
        rows = sample.answer.splitlines()
        assert sorted({int(row.split()[0]) for row in rows}) == list(range(1, len(lines_of(talk)) + 1))
        said = [row for row in rows if row.split(" ", 1)[1] != "no"]
        assert len(said) == len(talk.notes["decisions"]) + len(talk.notes["action_items"]), talk.name
        assert len(read_settled(tokens(sample.answer))) == len(said), talk.name


def test_lines_lose_nothing() -> None:
    for talk in JUDGING:
        for most in (0, 14, 1000):
            said = " ".join(line.said for line in lines_of(talk, most))
            assert said.split() == " ".join(turn.said for turn in talk.turns).split()


def test_a_variant_has_its_words_in_talk_and_notes_alike() -> None:
    things = things_in(TRAINING)
    for seed, talk in enumerate(TRAINING):
        other = varied(talk, things, random.Random(seed))
        assert [len(turn.said.split()) for turn in other.turns] == [len(turn.said.split()) for turn in talk.turns]
        assert set(other.notes["participants"]) == {turn.who for turn in other.turns}
        before, after = (" ".join(turn.said for turn in each.turns) for each in (talk, other))
        for old, new in zip(talk.notes["decisions"], other.notes["decisions"], strict=True):
            said_before, said_after = (key_words(text) for text in (before, after))
            assert len(key_words(old) & said_before) <= len(key_words(new) & said_after) + 1, (old, new)


def test_a_seed_gives_the_same_samples_and_another_others() -> None:
    first, again, other = (list(Material(TRAINING, seed).samples(2)) for seed in (1, 1, 2))
    assert first == again
    assert first[1] != other[1]
    kinds = {sample.task for sample in itertools.chain(*first)}
    assert kinds == {"settled", "overview", "clean"}


def test_validation_leaves_fields_to_train_on() -> None:
    talks = [replace(JUDGING[0], field=str(number)) for number in range(100)]
    fields = validation_fields(talks)
    assert fields == validation_fields([*talks, talks[0]])
    assert 0 < len(fields) < len(talks) / 3


def test_the_lines_that_tell_most_are_quoted_in_their_order() -> None:
    lines = [
        "Well, and so it was, you know.",
        "Lime tree felled in March.",
        "Do owls nest there?",
        "So owls nest there.",
    ]
    assert telling_lines(lines, most_words=9) == [2, 4]
    assert telling_lines(lines, {3}, most_words=9) == [2, 3]
    assert telling_lines(lines, most_words=100) == [1, 2, 3, 4]
    wordy = "Owls nest there and so on and on and it is so, by the trees."
    assert telling_lines([wordy, "Owls nest up here."], most_words=15) == [2]


def figures(answer: str, names: tuple[str, ...] = ("ice-rink-1", "chess-club-1")) -> dict[str, float | int]:
    counted = Figures()
    for talk in (talk for talk in JUDGING if talk.name in names):
        rows = settled_sample(talk, speakers=True).answer if answer == "right" else answer
        counted.notes(talk, read_settled(tokens(rows)), material.overview(talk, True, ""), speakers=True)
    return counted.shares()


def test_right_notes_have_the_best_figures_and_silence_the_worst() -> None:
    best, silent = figures("right"), figures("1 no")
    assert best["action_items_f1"] == best["decisions_f1"] == best["quiet_talks_kept"] == 1
    assert best["wrong_action_items_a_talk"] == best["of_nothing_a_talk"] == 0
    assert silent["action_items_f1"] == silent["decisions_f1"] == 0
    assert best["facts_in_summary"] > 0


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ("1 task Coach Dumont: Ring Hamar tonight, hold a time", True),
        ("1 task Pernille: Ring Hamar tonight and hold a time for the match", False),
        ("1 task Coach Dumont: Ring Trondheim on Sunday", False),
        ("1 decision Ring Hamar tonight and hold a time for the match", False),
    ],
)
def test_an_item_counts_with_its_assignee_and_most_of_its_words(row: str, right: bool) -> None:
    found = figures(row, ("ice-rink-1",))
    assert (found["action_items_f1"] > 0) is right
    assert found["quiet_talks_kept"] == 0


def test_what_nobody_said_is_counted() -> None:
    found = figures("1 task Ann: Buy elephants for the zoo", ("chess-club-1",))
    assert found["wrong_action_items_a_talk"] == found["of_nothing_a_talk"] == 1
    assert found["quiet_talks_kept"] == 0


def test_a_clean_line_that_lost_a_word_stays_raw() -> None:
    talk = next(talk for talk in JUDGING if talk.name == "ice-rink-1")
    right, raw, lost = Figures(), Figures(), Figures()

    def cleaned(chat: tasks.Chat) -> list[Token]:
        shown = re.findall(r"^\d+\. .*$", chat[1]["content"], re.MULTILINE)
        by_raw = {material.verbatim(line.said): material.clean(line.said) for line in lines_of(talk)}
        return [Token("\n".join(f"{row.split()[0]} {by_raw[row.split(' ', 1)[1]]}" for row in shown), 0.0)]

    right.clean(talk, cleaned, speakers=False)
    raw.clean(talk, lambda _: [Token("1. Something else", 0.0)], speakers=False)
    lost.clean(talk, lambda chat: [Token(cleaned(chat)[0].text.replace("Hamar", ""), 0.0)], speakers=False)
    assert right.shares()["clean_wer"] == 0
    assert right.shares()["names_and_numbers_kept"] == 1
    assert raw.shares()["raw_lines"] == 1
    assert raw.shares()["clean_wer"] == raw.shares()["raw_wer"] > 0
    assert 0 < lost.raw_lines <= sum("Hamar" in line.said for line in lines_of(talk))
