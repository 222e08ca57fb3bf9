"""The shipped language model in the service's own stages, on right words of meetings with names that it never saw."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from maie import llm
from maie.llm.base import LanguageModel
from maie.prompts import BUILT_IN, CLEAN_TRANSCRIPT, label, load_template, transcript_lines
from maie.settings import Settings
from maie.stages.clean import clean
from maie.stages.summary import summarise
from maie_training.evaluate_llm import held_out
from maie_training.llm.views import View
from maie_training.scores import Kept, Matches, action_items
from maie_training.wer import word_error_rate

MODEL = Path(__file__).resolve().parents[2] / "files" / "models" / "maie-llm-en-v1"
CLEAN = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
NOTES = load_template(BUILT_IN / "meeting_notes_v1")
MEETINGS = 100 if os.environ.get("MAIE_TEST_FULL") else 5
SEED = 5005


def load(**settings: Any) -> LanguageModel:
    given = {"profile": "embedded", "asr_model": MODEL, "llm_backend": "ctranslate2", "llm_model": MODEL}
    return llm.load(Settings(**{**given, "llm_context_tokens": 3072, **settings}))


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load()


def ignore(_: object) -> None:
    """Take a progress report."""


def without_labels(view: View, lines: list[str]) -> str:
    """Return the text of lines; who speaks is compared elsewhere, and lines are joined and cut on the way."""
    labels = {label(turn) for turn in view.turns} - {""}
    return " ".join(next((line.removeprefix(mark) for mark in labels if line.startswith(mark)), line) for line in lines)


def meetings(material: str) -> list[View]:
    return list(held_out(SEED, material, MEETINGS))


@pytest.mark.parametrize("material", ["new_names_labels"])
def test_clean_transcripts_and_notes_are_right(model: LanguageModel, material: str) -> None:
    wanted, found, kept, tasks, fallbacks = [], [], Kept(), Matches(), 0
    for view in meetings(material):
        cleaned = clean(view.turns, model, CLEAN, ignore)
        wanted.append(without_labels(view, view.clean))
        found.append(without_labels(view, cleaned.text.splitlines()))
        kept.count(without_labels(view, transcript_lines(view.turns)), wanted[-1], found[-1])
        fallbacks += cleaned.fallbacks
        notes = summarise(view.turns, model, NOTES, ignore).value
        Draft202012Validator(NOTES.schema).validate(notes)
        tasks.count(action_items(json.loads(json.dumps(view.answers()["meeting_notes_v1"]))), action_items(notes))
    figures = {
        "clean_wer": word_error_rate(wanted, found),
        "kept": kept.share,
        "invented": kept.invented,
        "action_items_f1": tasks.f1,
        "action_items": tasks.wanted,
        "raw_lines": fallbacks,
    }
    print(material, figures)
    assert figures["clean_wer"] <= 0.03
    assert figures["kept"] >= 0.99
    assert figures["invented"] == 0
    assert figures["action_items_f1"] >= 0.9
    assert figures["action_items"] >= MEETINGS
    assert figures["raw_lines"] <= MEETINGS // 20
