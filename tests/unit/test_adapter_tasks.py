"""What the language model is asked and trained on, how its answers are read, and how they are judged."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from maie.domain import CleanTranscript
from maie.stages import parts
from maie.stages.notes.rows import read_rows
from maie.stages.short_lines import short_lines
from maie.wording.key_words import key_words
from maie_training.adapter import material
from maie_training.adapter.judge import Figures, named, turns_of
from maie_training.adapter.material import Material, lines_of, settled_sample
from maie_training.adapter.placing import Sentence, place, sentences_of
from maie_training.adapter.variants import things_in, varied
from maie_training.written import read_talks, validation_fields
from support.audiofiles import ROOT

JUDGING = list(read_talks(ROOT / "tests/cases/talks"))
TRAINING = list(itertools.islice(read_talks(), 48))


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
        assert len([row for row in read_rows(sample.answer, []) if row.text]) == len(said), talk.name


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


def test_validation_leaves_fields_to_train_on() -> None:
    talks = [replace(JUDGING[0], field=str(number)) for number in range(100)]
    fields = validation_fields(talks)
    assert fields == validation_fields([*talks, talks[0]])
    assert 0 < len(fields) < len(talks) / 3


def test_a_seed_gives_the_same_samples_and_another_others() -> None:
    first, again, other = (list(Material(TRAINING, seed).samples(2)) for seed in (1, 1, 2))
    assert first == again
    assert first[1] != other[1]
    kinds = {sample.task for sample in itertools.chain(*first)}
    assert kinds == {"settled", "overview", "clean"}


def test_the_service_asks_about_the_lines_that_training_has() -> None:
    trained, asked = set(), set()
    for talk in JUDGING:
        trained |= {(talk.name, material.verbatim(line.said)) for line in lines_of(talk)}
        turns = turns_of(talk, named(talk))
        asked |= {(talk.name, short.text) for line in parts.lines_of(turns) for short in short_lines(line)}
    assert len(trained - asked) < 0.02 * len(trained)


def notes_of(rows: str, summary: str) -> dict[str, Any]:
    """Return the notes that some rows are, whatever the model thinks of them."""
    found = [row for row in read_rows(rows, []) if row.text]
    tasks = [{"description": row.text, "assignee": row.who, "due_date": None} for row in found if row.kind == "task"]
    return {"summary": summary, "action_items": tasks, "decisions": [row.text for row in found if not row.who]}


def figures(answer: str, names: tuple[str, ...] = ("ice-rink-1", "chess-club-1")) -> dict[str, float | int]:
    counted = Figures()
    for talk in (talk for talk in JUDGING if talk.name in names):
        rows = settled_sample(talk, speakers=True).answer if answer == "right" else answer
        counted.notes(talk, named(talk), notes_of(rows, talk.notes["summary"]))
    return counted.shares()


def test_right_notes_have_the_best_figures_and_silence_the_worst() -> None:
    best, silent = figures("right"), figures("1 no")
    assert best["action_items_f1"] == best["decisions_f1"] == best["quiet_talks_kept"] == 1
    assert best["wrong_action_items_a_talk"] == best["of_nothing_a_talk"] == 0
    assert silent["action_items_f1"] == silent["decisions_f1"] == 0
    assert best["facts_in_notes"] >= best["facts_in_summary"] > 0


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


def test_a_clean_transcript_is_compared_with_what_was_meant() -> None:
    talk = next(talk for talk in JUDGING if talk.name == "ice-rink-1")
    right, raw = Figures(), Figures()
    right.clean(talk, {}, CleanTranscript("\n".join(turn.clean for turn in talk.turns), 0.1, 0))
    lines = [f"{turn.who}: {material.verbatim(turn.said)}" for turn in talk.turns]
    raw.clean(talk, named(talk), CleanTranscript("\n".join(lines), 0.0, len(lines)))
    assert (right.shares()["clean_wer"], right.shares()["names_and_numbers_kept"]) == (0, 1)
    assert raw.shares()["clean_wer"] == raw.shares()["raw_wer"] > 0
    assert raw.shares()["raw_lines"] == 1
