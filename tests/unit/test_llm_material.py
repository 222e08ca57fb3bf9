"""What the language model is trained and judged on: invented names, views of meetings, scores."""

from __future__ import annotations

import random
from datetime import date

import pytest
from maie.prompting.prompts import transcript_lines
from maie.prompting.template import BUILT_IN, load_template
from maie_training import wide_patterns
from maie_training.evaluate_llm import MATERIAL
from maie_training.llm.samples import TASKS, SampleWriter, part_borders, senseless_view
from maie_training.llm.views import Speakers, degrade, view_meeting
from maie_training.meetings import Meeting, MeetingComposer, Wording
from maie_training.names import invented_word
from maie_training.notes import ActionItem, Introduction, Opening, Task, Today, Topic, take_notes
from maie_training.pattern_sets import PatternSet, pattern_set
from maie_training.scores import Kept, Matches, action_items, protected
from maie_training.splits import Split, side_of, words_of

WIDE = Wording("wide", "invented", named=True)


def compose(seed: int, wording: Wording = WIDE, split: Split | None = None) -> Meeting:
    return MeetingComposer(random.Random(seed), split or Split("train", "train"), wording=wording).compose()


def test_invented_names_keep_their_side() -> None:
    rng = random.Random(1)
    train = {invented_word(rng, "train") for _ in range(3000)}
    held_out = {invented_word(rng, "heldout") for _ in range(3000)}
    assert {side_of("name", name) for name in train} == {"train"}
    assert {side_of("name", name) for name in held_out} == {"heldout"}
    assert len(train) > 2900
    assert not train & held_out


def test_every_meeting_has_names_of_its_own() -> None:
    people = [
        name for seed in range(40) for name in compose(seed, split=Split("heldout", "heldout")).notes.participants
    ]
    assert len(set(people)) > 0.97 * len(people)


def test_the_same_seed_gives_the_same_meeting() -> None:
    assert compose(3) == compose(3)
    assert compose(3) != compose(4)


def test_known_patterns_are_those_of_the_recogniser() -> None:
    assert pattern_set("known") == PatternSet()


def test_wide_and_unseen_patterns_share_none() -> None:
    wide, unseen = pattern_set("wide"), pattern_set("unseen")
    held_out = [pattern for pattern in wide_patterns.STATUS if side_of("pattern", pattern) == "heldout"]
    assert unseen.status == tuple(held_out)
    assert not set(wide.status) & set(unseen.status)
    assert set(PatternSet().status) < set(wide.status)
    assert unseen.greetings


def test_what_is_graded_was_held_out_of_training() -> None:
    for material in MATERIAL.values():
        assert material.split.sentences == "heldout"
        if material.wording.names == "invented":
            assert material.split.names == "heldout"


@pytest.mark.parametrize("speakers", ["names", "labels", "none"])
def test_a_view_has_a_clean_line_for_each_line(speakers: Speakers) -> None:
    for seed in range(40):
        view = view_meeting(compose(seed), random.Random(seed), speakers)
        lines = transcript_lines(view.turns)
        assert len(lines) == len(view.clean)
        for said, clean in zip(lines, view.clean, strict=True):
            rest = iter(words_of(said))
            assert all(word in rest for word in words_of(clean)), (said, clean)
        assert (view.turns[0].speaker is None) == (speakers == "none")


def test_labels_become_names_where_people_introduce_themselves() -> None:
    meeting = compose(1, Wording("known", "invented", named=False))
    view = view_meeting(meeting, random.Random(1), "labels")
    chair, *others = meeting.notes.participants
    assert view.notes.participants == [view.turns[0].speaker, *others]
    assert chair not in str(view.notes.participants)


def test_a_volunteer_without_label_is_known_only_where_the_words_tell() -> None:
    seen = set()
    for seed in range(200):
        for named in (False, True):
            meeting = compose(seed, Wording("known", "invented", named))
            full, view = meeting.notes, view_meeting(meeting, random.Random(1), "none").notes
            for mark, item, wanted in zip(
                [mark for mark in meeting.marks if isinstance(mark.fact, Task)],
                view.action_items,
                full.action_items,
                strict=True,
            ):
                assert isinstance(mark.fact, Task)
                alone = len(full.participants) == 2
                known = mark.fact.named or alone
                assert item.assignee == (wanted.assignee if known else None)
                seen.add((named, known))
    assert seen == {(False, True), (False, False), (True, True)}


def test_a_part_has_the_facts_that_were_said_in_it() -> None:
    for seed in range(30):
        meeting = compose(seed)
        middle = part_borders(meeting)[len(part_borders(meeting)) // 2]
        rng = random.Random(1)
        halves = [
            view_meeting(meeting, rng, "names", (0, middle)),
            view_meeting(meeting, rng, "names", (middle, len(meeting.turns)), meeting.day),
        ]
        for field in ("agenda", "decisions", "action_items"):
            first, second = (getattr(half.notes, field) for half in halves)
            assert first + second == getattr(meeting.notes, field)
        assert [len(half.turns) for half in halves] == [middle, len(meeting.turns) - middle]
        assert halves[1].notes.meeting_date == meeting.notes.meeting_date


def test_without_the_day_of_the_meeting_no_year_is_guessed() -> None:
    facts = [Topic("Hiring"), Task("call Bluepeak", "Maya", date(2026, 1, 2), named=True)]
    notes = take_notes(facts, [], None, lambda task: task.assignee)
    assert notes.meeting_date is None
    assert notes.action_items == [ActionItem("Call Bluepeak", "Maya", None)]
    assert notes.title == "Meeting about hiring"
    assert notes.summary == "They discussed hiring. Maya will call Bluepeak."


def test_notes_of_nothing_fit_the_schema_too() -> None:
    facts = [Opening("review meeting", "Atlas"), Today(date(2026, 1, 2)), Introduction("Maya")]
    notes = take_notes(facts, ["Maya"], date(2026, 1, 2), lambda task: task.assignee)
    assert (notes.title, notes.tags, notes.summary) == ("Project Atlas review meeting", ["atlas"], "Maya met.")


def test_samples_ask_with_the_services_prompts_and_answer_in_their_form() -> None:
    writer = SampleWriter("test")
    samples = [writer.draw() for _ in range(150)]
    assert {sample.template for sample in samples} == set(TASKS)
    for sample in samples:
        prompt = load_template(BUILT_IN / sample.template).prompt.split("\n")[0]
        assert prompt in sample.chat[-1]["content"]
        assert "<|" not in sample.answer


def test_a_poorer_recogniser_leaves_the_words() -> None:
    view = senseless_view(random.Random(2), "train")
    poor = degrade(view.turns, random.Random(2))
    assert [words_of(turn.text) for turn in poor if "." not in turn.text] == [
        words_of(turn.text) for turn, other in zip(view.turns, poor, strict=True) if "." not in other.text
    ]
    assert poor != view.turns


def test_names_and_numbers_are_found_in_a_text() -> None:
    assert protected("Maya: The Velmora report cost $4,500. Twenty-six people read it on Monday.\nYes, I do.") == {
        "Velmora",
        "$4,500",
        "Twenty",
        "six",
        "Monday",
    }


def test_dropped_and_invented_names_are_counted() -> None:
    kept = Kept()
    raw = "um we met Velmora and Tashin at ten"
    kept.count(raw, "We met Velmora and Tashin at ten.", "We met Velmora and Tashim at nine.")
    assert (kept.wanted, kept.kept, kept.invented) == (3, 1, 2)
    assert kept.share == pytest.approx(1 / 3)


def test_action_items_count_when_words_date_and_assignee_agree() -> None:
    item = {"description": "Print the checklist", "assignee": "Maya", "due_date": None}
    other = {**item, "description": "print the checklist.", "assignee": "Igor"}
    matches, loose = Matches(), Matches()
    matches.count(action_items({"action_items": [item, item]}), action_items({"action_items": [item, other]}))
    loose.count(action_items({"action_items": [item]}, False), action_items({"action_items": [other]}, False))
    assert (matches.wanted, matches.found, matches.right, matches.f1) == (2, 2, 1, 0.5)
    assert loose.f1 == 1
    assert Matches().f1 == 1
