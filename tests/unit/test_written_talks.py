"""Written talks: each is whole, and what the clean text leaves out of them is slips only."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from jsonschema import Draft202012Validator
from maie.prompting.template import BUILT_IN, load_template
from maie.wording.faithful import is_faithful
from maie_training.written import WrittenTalk, read_talks
from support.audiofiles import ROOT
from support.stack import Figure

JUDGING = list(read_talks(ROOT / "tests/cases/talks"))
TRAINING = list(read_talks())
FACTS = 10
MOST_REFUSED = 0.03


def test_no_field_that_judges_is_trained_on() -> None:
    judging = [talk.field for talk in JUDGING]
    assert len(set(judging)) == len(judging) >= 30
    assert not set(judging) & {talk.field for talk in TRAINING}
    names = Counter(talk.name for talk in (*JUDGING, *TRAINING))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("talks", [JUDGING, TRAINING], ids=["judging", "training"])
def test_notes_fit_their_template_and_name_who_speaks(talks: list[WrittenTalk]) -> None:
    validator = Draft202012Validator(load_template(BUILT_IN / "meeting_notes_v1").schema)
    for talk in talks:
        assert [error.message for error in validator.iter_errors(talk.notes)] == [], talk.name
        assert set(talk.notes["participants"]) == {turn.who for turn in talk.turns}, talk.name


def test_facts_are_said() -> None:
    for talk in JUDGING:
        assert len(talk.facts) == FACTS, talk.name
        said = talk.clean.lower()
        missing = [group for fact in talk.facts for group in fact.words if not any(w.lower() in said for w in group)]
        assert missing == [], talk.name


@pytest.mark.parametrize("talks", [JUDGING, TRAINING[::4]], ids=["judging", "training"])
def test_clean_text_leaves_out_slips_only(talks: list[WrittenTalk], figure: Figure) -> None:
    turns = [turn for talk in talks for turn in talk.turns]
    refused = sum(not is_faithful(" ".join(turn.verbatim.split()), turn.clean, english=True) for turn in turns)
    figure(f"{refused} of {len(turns)} right cleanings refused ({refused / len(turns):.1%})")
    assert refused / len(turns) <= MOST_REFUSED
    assert not any(re.search(r"[{}]| [,.?!]|\b(?:um|uh|er)\b", turn.clean) for turn in turns)
