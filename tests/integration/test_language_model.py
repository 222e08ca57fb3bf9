"""The shipped language model in the service's own stages, on right words of meetings with names that it never saw."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from maie import llm
from maie.domain import Turn
from maie.errors import ConfigurationError, LlmInputTooLong
from maie.llm.base import Chat, LanguageModel
from maie.prompting.prompts import label, messages, transcript_lines
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.settings import Settings
from maie.stages.clean import clean
from maie.stages.summary import summarise
from maie_training.llm.views import View, view_meeting
from maie_training.meetings import MeetingComposer, Wording
from maie_training.scores import Kept, Matches, action_items
from maie_training.splits import Split
from maie_training.wer import word_error_rate
from support.stack import Figure

pytestmark = pytest.mark.timeout(3600)
MODEL = Path(__file__).resolve().parents[2] / "files" / "models" / "maie-llm-en-v1"
CLEAN = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
NOTES = load_template(BUILT_IN / "meeting_notes_v1")
FULL = bool(os.environ.get("MAIE_TEST_FULL"))
MEETINGS = 100 if FULL else 5
TOPICS = (2, 4) if FULL else (1, 1)
"""How many meetings, and how long each is; whole ones take some seconds of both processors each."""


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


def meetings() -> Iterator[View]:
    """Yield meetings with names and sentences that training never saw, with labels for speakers and without."""
    rng = random.Random(5005)
    composer = MeetingComposer(rng, Split("heldout", "heldout"), 0.3, TOPICS, Wording("wide", "invented", True))
    for speakers, _ in zip(cycle(("labels", "none")), range(MEETINGS), strict=False):
        yield view_meeting(composer.compose(), rng, speakers)


def test_clean_transcripts_and_notes_are_right(model: LanguageModel, figure: Figure) -> None:
    wanted, found, kept, tasks, lines, fallbacks = [], [], Kept(), Matches(), 0, 0
    for view in meetings():
        cleaned = clean(view.turns, model, CLEAN, ignore)
        wanted.append(without_labels(view, view.clean))
        found.append(without_labels(view, cleaned.text.splitlines()))
        kept.count(without_labels(view, transcript_lines(view.turns)), wanted[-1], found[-1])
        lines += len(cleaned.text.splitlines())
        fallbacks += cleaned.fallbacks
        notes = summarise(view.turns, model, NOTES, ignore).value
        Draft202012Validator(NOTES.schema).validate(notes)
        tasks.count(action_items(asdict(view.notes)), action_items(notes))
    figures = {
        "clean_wer": word_error_rate(wanted, found),
        "kept": kept.share,
        "invented": kept.invented,
        "action_items_f1": tasks.f1,
        "action_items": tasks.wanted,
        "lines": lines,
        "raw_lines": fallbacks,
    }
    figure(str(figures))
    assert figures["clean_wer"] <= 0.03
    assert figures["kept"] >= 0.99
    assert figures["invented"] == 0
    assert figures["action_items_f1"] >= 0.9
    assert figures["action_items"] >= MEETINGS // 2
    assert figures["raw_lines"] <= MEETINGS // 20


CHAT = tuple(messages(CLEAN, [Turn("Maya", "Um, I I will print the checklist."), Turn("Igor", "Okay, uh, thank you.")]))


def test_a_reply_ends_at_its_end_token_and_tells_its_tokens(model: LanguageModel) -> None:
    seen: list[int] = []
    reply = model.reply(Chat(CHAT, 200), seen.append)
    assert reply.text == "Maya: I will print the checklist.\nIgor: Okay, thank you."
    assert (reply.truncated, reply.prompt_tokens) == (False, model.count_tokens(CHAT))
    assert seen == list(range(1, reply.reply_tokens + 1))
    assert model.reply(Chat(CHAT, 200), ignore) == reply


def test_a_reply_that_is_cut_says_so(model: LanguageModel) -> None:
    reply = model.reply(Chat(CHAT, 5), ignore)
    assert (reply.text, reply.truncated, reply.reply_tokens) == ("Maya: I will", True, 5)


def test_what_does_not_fit_in_the_context_is_refused(model: LanguageModel) -> None:
    with pytest.raises(LlmInputTooLong):
        model.reply(Chat(CHAT, model.context_tokens - model.count_tokens(CHAT) + 1), ignore)
    assert load(llm_context_tokens=8192).context_tokens == 4096


def test_the_versions_name_the_weights(model: LanguageModel) -> None:
    sums = dict(line.split()[::-1] for line in (MODEL / "SHA256SUMS").read_text().splitlines())
    assert model.versions["name"] == model.name == "maie-llm-en-v1"
    assert model.versions["sha256"] == sums["model.bin"]
    assert model.versions["compute_type"].startswith("int8")


def test_what_interrupts_a_reply_reaches_the_caller(model: LanguageModel) -> None:
    def fail(_: int) -> None:
        raise BrokenPipeError("the supervisor has gone")

    with pytest.raises(BrokenPipeError):
        model.reply(Chat(CHAT, 200), fail)
    assert model.reply(Chat(CHAT, 200), ignore).text.startswith("Maya: ")


def test_a_process_that_had_a_reply_ends_without_an_abort(tmp_path: Path) -> None:
    script = tmp_path / "reply.py"
    script.write_text(
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_language_model import CHAT, Chat, load, ignore\n"
        "model = load()\n"
        "print(model.reply(Chat(CHAT, 20), ignore).reply_tokens)\n"
    )
    for _ in range(3):
        ended = subprocess.run([sys.executable, script, *Path(__file__).parents[:2]], capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (0, "20\n"), ended.stderr


def test_a_newer_layout_of_the_tokenizers_files_is_read_too(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    about = json.loads((MODEL / "tokenizer_config.json").read_text())
    (tmp_path / "model" / "chat_template.jinja").write_text(about.pop("chat_template"))
    about["eos_token"] = {"content": about["eos_token"], "special": True}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(about))
    assert load(llm_model=tmp_path / "model").reply(Chat(CHAT, 200), ignore).text.endswith("thank you.")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tokenizer_config.json", "{}"),
        ("tokenizer_config.json", '{"chat_template": "{% if %}", "model_max_length": 9}'),
        ("tokenizer.json", "{}"),
        ("model.bin", ""),
    ],
)
def test_a_broken_model_is_a_mistake_of_configuration(tmp_path: Path, file: str, text: str) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    (tmp_path / "model" / file).write_text(text)
    with pytest.raises(ConfigurationError, match="The language model can't be loaded"):
        load(llm_model=tmp_path / "model")


@pytest.mark.parametrize("folder", [None, Path("/nowhere")])
def test_a_model_that_is_not_there_is_named(folder: Path | None) -> None:
    with pytest.raises(ConfigurationError, match="MAIE_LLM_MODEL"):
        load(llm_model=folder)
