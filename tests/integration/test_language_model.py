"""A language model of CTranslate2 in the service's own stages: the tiny one of the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from maie import llm
from maie.domain import Turn
from maie.errors import ConfigurationError, LlmInputTooLong
from maie.llm.base import PROMPT_SHARE, Chat, LanguageModel
from maie.prompting.prompts import messages
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.settings import Settings
from maie.stages.clean import clean
from maie.stages.summary import summarise
from support.action_items import action_items
from support.audiofiles import LLM, WRITTEN
from support.word_errors import wrong_words

CLEAN = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
NOTES = load_template(BUILT_IN / "meeting_notes_v1")


def load(**settings: Any) -> LanguageModel:
    given = {"profile": "embedded", "asr_model": LLM, "llm_backend": "ctranslate2", "llm_model": LLM}
    return llm.load(Settings(**{**given, "llm_context_tokens": 3072, **settings}))


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load()


def ignore(_: object) -> None:
    """Take a progress report."""


def test_a_meeting_in_the_models_own_words_comes_back_clean_and_with_its_notes(model: LanguageModel) -> None:
    meeting = json.loads(WRITTEN.read_text())
    turns = [Turn(turn["speaker"], turn["verbatim"]) for turn in meeting["turns"]]
    cleaned = clean(turns, model, CLEAN, ignore)
    right = [f"{turn['speaker']}: {turn['clean']}" for turn in meeting["turns"]]
    assert wrong_words(" ".join(right), cleaned.text) <= 0.03
    assert cleaned.fallbacks == 0
    notes = summarise(turns, model, NOTES, ignore).value
    Draft202012Validator(NOTES.schema).validate(notes)
    assert action_items(notes) == action_items(meeting["notes"])


CHAT = tuple(messages(CLEAN, [Turn("Maya", "Um, I I will print the checklist."), Turn("Igor", "Okay, uh, thank you.")]))


def test_a_reply_ends_at_its_end_token_and_tells_its_tokens(model: LanguageModel) -> None:
    seen: list[int] = []
    reply = model.reply(Chat(CHAT, 200), seen.append)
    assert reply.text == "Maya: I will print the checklist.\nIgor: Okay, thank you."
    assert (reply.truncated, reply.prompt_tokens) == (False, model.count_tokens(CHAT))
    assert seen == list(range(1, reply.reply_tokens + 1))
    assert model.reply(Chat(CHAT, 200), ignore) == reply


def test_a_reply_tells_its_tokens_when_asked(model: LanguageModel) -> None:
    reply = model.reply(Chat(CHAT, 200, tells_tokens=True), ignore)
    assert "".join(token.text for token in reply.tokens) == reply.text
    assert all(-1 < token.log_probability <= 0 for token in reply.tokens)
    assert len(reply.tokens) == reply.reply_tokens - 1
    assert model.reply(Chat(CHAT, 200), ignore).tokens == ()


def test_chats_of_a_batch_are_answered_as_each_alone(model: LanguageModel) -> None:
    short = tuple(messages(CLEAN, [Turn(None, "Um, okay.")]))
    chats = [Chat(CHAT, 200), Chat(short, 200, tells_tokens=True), Chat(CHAT, 5), Chat(CHAT, 1500)]
    seen: list[int] = []
    replies = model.replies(chats, seen.append)
    alone = [model.reply(chat, ignore) for chat in chats]
    assert [replace(reply, tokens=()) for reply in replies] == [replace(reply, tokens=()) for reply in alone]
    assert [token.text for token in replies[1].tokens] == [token.text for token in alone[1].tokens]
    assert (replies[2].truncated, replies[2].reply_tokens) == (True, 5)
    assert seen == sorted(seen)
    assert seen[-1] == sum(reply.reply_tokens for reply in replies)
    with pytest.raises(LlmInputTooLong):
        model.replies([chats[0], Chat(CHAT, model.context_tokens)], ignore)


def test_a_batch_needs_no_more_room_than_a_single_chat(model: LanguageModel) -> None:
    chats = [Chat(CHAT, tokens) for tokens in (600, 600, 900, 2000, 100, 100)]
    assert [len(batch) for batch in model._batches(chats)] == [2, 1, 1, 2]
    long = Chat(({"role": "user", "content": "budget " * 1100},), 20)
    assert model.context_tokens / 3 < model.count_tokens(long.messages) < model.context_tokens * PROMPT_SHARE / 1.5
    assert [len(batch) for batch in model._batches([long, long])] == [1, 1]


def test_a_reply_that_is_cut_says_so(model: LanguageModel) -> None:
    reply = model.reply(Chat(CHAT, 5), ignore)
    assert (reply.text, reply.truncated, reply.reply_tokens) == ("Maya: I will", True, 5)


def test_what_does_not_fit_in_the_context_is_refused(model: LanguageModel) -> None:
    with pytest.raises(LlmInputTooLong):
        model.reply(Chat(CHAT, model.context_tokens - model.count_tokens(CHAT) + 1), ignore)
    assert load(llm_context_tokens=8192).context_tokens == 4096


def test_the_versions_name_the_weights(model: LanguageModel) -> None:
    sums = dict(line.split()[::-1] for line in (LLM / "SHA256SUMS").read_text().splitlines())
    assert model.versions["name"] == model.name == "tiny-llm-en"
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
        "import sys\n"
        "from maie import llm\n"
        "from maie.llm.base import Chat\n"
        "from maie.settings import Settings\n"
        "folder = sys.argv[1]\n"
        "given = {'profile': 'embedded', 'asr_model': folder, 'llm_backend': 'ctranslate2', 'llm_model': folder}\n"
        "model = llm.load(Settings(**given))\n"
        "chat = Chat(({'role': 'user', 'content': 'Um, okay.'},), 20)\n"
        "print(model.reply(chat, lambda _: None).reply_tokens > 0)\n"
    )
    for _ in range(3):
        ended = subprocess.run([sys.executable, script, LLM], capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


def test_a_newer_layout_of_the_tokenizers_files_is_read_too(tmp_path: Path) -> None:
    shutil.copytree(LLM, tmp_path / "model")
    about = json.loads((LLM / "tokenizer_config.json").read_text())
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
    shutil.copytree(LLM, tmp_path / "model")
    (tmp_path / "model" / file).write_text(text)
    with pytest.raises(ConfigurationError, match="The language model can't be loaded"):
        load(llm_model=tmp_path / "model")


@pytest.mark.parametrize("folder", [None, Path("/nowhere")])
def test_a_model_that_is_not_there_is_named(folder: Path | None) -> None:
    with pytest.raises(ConfigurationError, match="MAIE_LLM_MODEL"):
        load(llm_model=folder)
