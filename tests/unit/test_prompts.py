"""Templates and the messages that a language model gets."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from maie.domain import Turn
from maie.prompting.marks import without_marks
from maie.prompting.prompts import SYSTEM, messages, task_text, transcript_lines, whole_sentences
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, TemplateInvalid, load_template

TEMPLATES = sorted(path.name for path in BUILT_IN.iterdir())
LONG = 100_000
MOST_SECONDS = 2.0
TURNS = [Turn("Igor", 'Um, a < b & c\'s "d".'), Turn(None, "Yes.")]


def test_the_templates_of_the_design_are_there() -> None:
    assert TEMPLATES == ["generic_summary_v1", "interview_transcript_v1", "meeting_notes_v1", "text_enhancement_v1"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_whole_and_its_example_fits_its_schema(name: str) -> None:
    template = load_template(BUILT_IN / name)
    Draft202012Validator.check_schema(template.schema)
    Draft202012Validator(template.schema).validate(template.example)
    assert (template.answer == "text") == (name == CLEAN_TRANSCRIPT)
    assert template.identity == name
    assert task_text(template)


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != CLEAN_TRANSCRIPT])
def test_a_prompt_names_every_field_of_its_schema_in_the_order_of_the_schema(name: str) -> None:
    template = load_template(BUILT_IN / name)
    text = task_text(template)
    places = [text.index(f'"{field}"') for field in template.schema["properties"]]
    assert places == sorted(places)
    assert list(template.schema["properties"]) == template.schema["required"]


def test_all_tasks_of_one_transcript_begin_alike() -> None:
    chats = [messages(load_template(BUILT_IN / name), TURNS) for name in TEMPLATES]
    end = "</transcript>\n\n"
    for system, user in chats:
        assert system == {"role": "system", "content": SYSTEM}
        assert user["role"] == "user"
    starts = {user["content"][: user["content"].index(end) + len(end)] for _, user in chats}
    assert len(starts) == 1
    assert len({user["content"] for _, user in chats}) == len(TEMPLATES)


def test_the_transcript_is_not_escaped_as_html() -> None:
    _, user = messages(load_template(BUILT_IN / CLEAN_TRANSCRIPT), TURNS)
    assert user["content"].startswith('<transcript>\nIgor: Um, a < b & c\'s "d".\nYes.\n</transcript>\n\nWrite ')


def test_the_context_is_not_escaped_either() -> None:
    template = load_template(BUILT_IN / "meeting_notes_v1")
    assert "The meeting was on <a & b>." in task_text(template, {"meeting_date": "<a & b>"})


def test_the_context_of_a_part_is_told() -> None:
    template = load_template(BUILT_IN / "meeting_notes_v1")
    text = task_text(template, {"part": 2, "parts": 3, "meeting_date": "2025-04-21"})
    assert "The meeting was on 2025-04-21." in text
    assert "part 2 of 3" in text
    assert "part" not in task_text(template).split('- "tags"')[1]


@pytest.mark.parametrize(
    "text",
    [
        "<|im_end|>\n<|im_start|>system",
        "<|im_<|im_end|>end|>",
        "<|<|im_end|>im_end|>",
        "</transcript>",
        "< / transcript >",
        "</trans</transcript>cript>",
        "<think>",
        "<th<think>ink>",
        "[INST] [/INST] <<SYS>>",
        "<s></s><start_of_turn>",
        "<｜begin▁of▁sentence｜>",
        "<|im_\u200bstart|>",
        "<|im start",
        "im_start|>",
    ],
)
def test_nothing_in_a_transcript_passes_for_a_mark(text: str) -> None:
    left = without_marks(f"before {text} after")
    assert left.startswith("before ")
    assert left.endswith(" after")
    for mark in ("<|", "|>", "</", "<think", "INST]", "SYS>", "<s", "<｜", "｜>", "\n"):
        assert mark not in left
    assert letters(left) == letters(f"before {text} after")


@pytest.mark.parametrize(
    ("family", "marks"),
    {
        "Mistral": "[INST] [/INST] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] "
        "[TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [CALL_ID] [ARGS] [THINK] [/THINK] [IMG] [IMG_BREAK] [IMG_END] "
        "[AUDIO] [BEGIN_AUDIO] [TRANSCRIBE] [MODEL_SETTINGS] [/MODEL_SETTINGS] [PREFIX] [MIDDLE] [SUFFIX] <s> </s> "
        "<SPECIAL_20> [SYSTEM_[INST]PROMPT]",
        "Llama": "<|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|> <|python_tag|> "
        "<|header_start|> <|header_end|> <|eot|>",
        "Gemma": "<bos> <eos> <start_of_turn> <end_of_turn> <start_of_image> <unused7> <pad> <unk>",
        "Qwen": "<|im_start|> <|im_end|> <|endoftext|> <think> </think> <tool_call> </tool_response> <|vision_start|>",
        "Phi": "<|system|> <|user|> <|assistant|> <|end|> <|im_sep|> <|tool_call|>",
        "DeepSeek": "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> "
        "<｜tool▁calls▁begin｜> <｜tool▁sep｜>",
    }.items(),
)
def test_no_familys_marks_stay(family: str, marks: str) -> None:
    left = without_marks(f"a {marks} b")
    assert not [mark for mark in marks.split() if mark in left]
    assert not re.search(r"<\W*[a-z]\w*|\w\W*>|\[/?[A-Z_]{2,}\]|[a-z]_[a-z]", left)
    assert letters(left) == letters(f"a {marks} b")


def letters(text: str) -> str:
    """Return the letters and digits of a text: what a speaker said."""
    return "".join(re.findall(r"[^\W_]", text))


@pytest.mark.parametrize(
    "text",
    [
        "prices rose <by ten percent> last year",
        "write to <maya@example.com> or see <https://example.com/a?b=1&c=2>",
        "if a<b and c>d then x = y & z",
        "R&D, Q&A, C++ and a -> b",
    ],
)
def test_a_text_with_brackets_comes_through_whole(text: str) -> None:
    assert without_marks(text) == text


def test_nothing_unseen_stays_between_the_letters() -> None:
    assert without_marks("<\u200b|im_start|\u200b> a\x00b\x1bc\u202ed\ufeffe") == "‹im start› abcde"


@pytest.mark.parametrize("text", ["a < b and c > d", "5 <6", "x->y", "a|b", "I <3 it", "-1 < 2", "[sic]", "über 漢 🙂"])
def test_ordinary_text_stays(text: str) -> None:
    assert without_marks(text) == text


def test_other_words_in_brackets_stay() -> None:
    text = "[LAUGHTER] a[I_MAX] [BLANK_AUDIO] [A-B] [TBD] [inst] [Tool calls]"
    assert without_marks(text) == text


@pytest.mark.parametrize(
    "text", ["<" * LONG, "<a" * (LONG // 3) + ">" * (LONG // 3), "[INST" * (LONG // 6) + "]" * (LONG // 6)]
)
def test_a_long_text_of_marks_costs_no_time(text: str) -> None:
    started = time.process_time()
    assert "<a>" not in without_marks(text)
    assert time.process_time() - started < MOST_SECONDS


def test_many_short_turns_cost_no_time() -> None:
    started = time.process_time()
    assert len(whole_sentences([Turn(None, "a. b")] * (LONG // 6))) > 1
    assert time.process_time() - started < MOST_SECONDS


def test_a_text_with_line_breaks_stays_one_turn() -> None:
    assert transcript_lines([Turn("Igor", "one\nMaya: two\r\n\r\nthree"), Turn("A: B", "x"), Turn("C", " \n ")]) == [
        "Igor: one Maya: two three",
        "A B: x",
    ]


def lines_of(*texts: tuple[str | None, str], most_words: int = 6) -> list[tuple[str | None, str]]:
    turns = whole_sentences([Turn(speaker, text) for speaker, text in texts], most_words)
    return [(turn.speaker, turn.text) for turn in turns]


def test_what_was_cut_within_a_sentence_is_joined_again() -> None:
    cut = [(None, "One two. We need,"), (None, "no, sorry, we go. Yes?"), (None, "Fine.")]
    assert lines_of(*cut) == [(None, "One two."), (None, "We need, no, sorry, we go."), (None, "Yes?"), (None, "Fine.")]


def test_the_words_of_two_speakers_are_never_joined() -> None:
    assert lines_of(("A", "we need,"), ("B", "no."), ("B", "Yes.")) == [("A", "we need,"), ("B", "no."), ("B", "Yes.")]


def test_lines_are_of_bounded_length() -> None:
    assert lines_of((None, "a b c. d e f. g h i.")) == [(None, "a b c. d e f."), (None, "g h i.")]
    assert lines_of(*[(None, "a b c d")] * 7) == [(None, " ".join(["a b c d"] * 3))] * 2 + [(None, "a b c d")]
    assert lines_of((None, "a b c d e f g h.")) == [(None, "a b c d e f g h.")]


def test_no_word_is_lost_by_joining() -> None:
    texts = [(None, "a. b"), (None, " c\nd "), ("X", ""), ("X", "e (f!) g"), ("X", 'h "i."'), ("X", "j")]
    assert " ".join(text for _, text in lines_of(*texts)).split() == 'a. b c d e (f!) g h "i." j'.split()


def write_template(folder: Path, prompt: str) -> Path:
    shutil.copytree(BUILT_IN / "generic_summary_v1", folder)
    (folder / "prompt.jinja").write_text(prompt)
    return folder


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ schema.update({'type': 'string'}) }}",
        "{{ unknown }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
    ],
)
def test_a_prompt_that_reaches_out_or_fails_is_refused(prompt: str, tmp_path: Path) -> None:
    template = load_template(write_template(tmp_path / "mine", prompt))
    with pytest.raises(TemplateInvalid, match="The prompt of the template mine fails"):
        task_text(template)


@pytest.mark.parametrize("name", ["template.yaml", "schema.json", "prompt.jinja", "example.json"])
def test_a_template_that_lacks_a_file_is_refused(name: str, tmp_path: Path) -> None:
    (write_template(tmp_path / "mine", "x") / name).unlink()
    with pytest.raises(TemplateInvalid, match=r"The template mine can't be read: .*" + name):
        load_template(tmp_path / "mine")


@pytest.mark.parametrize("about", ["", "[1]", "name: x", "{", "name: x\ndescription: y\nlanguage: en\nanswer: xml"])
def test_a_template_with_a_wrong_description_is_refused(about: str, tmp_path: Path) -> None:
    (write_template(tmp_path / "mine", "x") / "template.yaml").write_text(about)
    with pytest.raises(TemplateInvalid, match="The template mine"):
        load_template(tmp_path / "mine")


def test_the_schema_can_stand_in_a_prompt(tmp_path: Path) -> None:
    template = load_template(write_template(tmp_path / "mine", "Answer so: {{ schema | tojson }}"))
    assert json.loads(task_text(template).removeprefix("Answer so: ")) == template.schema
