"""Clean transcripts and summaries as the stages make them, with a server that answers what the test says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from maie.domain import CleanTranscript, Summary, Turn
from maie.errors import LlmAnswerInvalid, LlmInputTooLong
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.stages.clean import clean
from maie.stages.summary import summarise
from maie.wording.words import words_of
from support.llm_server import LETTERS_PER_TOKEN, LlmServer, model_of, sensible, transcript_of

CLEAN = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
NOTES = load_template(BUILT_IN / "meeting_notes_v1")
RAW = [Turn("Igor", "um, so Yuki asked for, uh, for 50 chairs."), Turn("Maya", "I I will call Redstone Media.")]
RIGHT = "Igor: So Yuki asked for 50 chairs.\nMaya: I will call Redstone Media."


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


def ignore(_: object) -> None:
    """Take a progress report."""


def cleaned(server: LlmServer, answer: str | Callable[[dict[str, Any]], str], turns: list[Turn] = RAW) -> Any:
    server.answer = answer if callable(answer) else lambda _: answer
    return clean(turns, model_of(server), CLEAN, ignore)


def test_a_right_answer_is_the_clean_transcript(server: LlmServer) -> None:
    assert cleaned(server, RIGHT) == CleanTranscript(RIGHT, round(4 / 15, 4), 0, ())


def test_a_line_that_loses_a_name_stays_raw_and_a_warning_says_so(server: LlmServer) -> None:
    found = cleaned(server, "Igor: So Yuki asked for 50 chairs.\nMaya: I will call Bluestone Media.")
    assert found.text == "Igor: So Yuki asked for 50 chairs.\nMaya: I I will call Redstone Media."
    assert (found.fallbacks, found.edit_rate) == (1, round(3 / 15, 4))
    assert found.warnings[0].startswith("1 of 2 lines of the clean transcript are as they were recognised")


def test_a_word_has_capitals_inside_only_where_they_were_recognised(server: LlmServer) -> None:
    said = [Turn(None, "it's on um McNeil's USB stick, that's all I know.")]
    assert cleaned(server, "It'S on McNeil's USB stick, That'S all I know.", said).text == (
        "It's on McNeil's USB stick, That's all I know."
    )
    both = "That's the US team with us."
    assert cleaned(server, both, [Turn(None, f"Um, {both}")]).text == both


def test_in_another_language_an_english_filler_is_a_word(server: LlmServer) -> None:
    turns = [Turn(None, "Um fünf Uhr kommt der der Chef.")]
    server.answer = lambda _: "Fünf Uhr kommt der Chef."
    assert [clean(turns, model_of(server), CLEAN, ignore, code).fallbacks for code in ("de", "en", None)] == [1, 0, 1]


def test_a_line_that_loses_its_meaning_stays_raw_and_a_warning_says_so(server: LlmServer) -> None:
    said = "The tomatoes can't go without water for more than a day."
    found = cleaned(server, "The tomatoes can't go with more than a day.", [Turn(None, said)])
    assert (found.text, found.fallbacks, len(found.warnings)) == (said, 1, 1)


@pytest.mark.parametrize(
    "said",
    [
        "Prices rose <by ten percent> last year.",
        "Write to <maya@example.com> & see https://example.com/a?b=1&c=2.",
        "If a<b and c>d then x = y.",
        "It was <b>bold</b> and <think>loud</think>.",
    ],
)
def test_a_text_with_brackets_comes_through_whole(server: LlmServer, said: str) -> None:
    found = cleaned(server, sensible, [Turn(None, said)])
    assert (found.fallbacks, words_of(found.text)) == (0, words_of(said))
    found = cleaned(server, "Prices rose last year.", [Turn(None, said)])
    assert (found.fallbacks, words_of(found.text)) == (1, words_of(said))


@pytest.mark.parametrize(
    "answer",
    [
        "So Yuki asked for 50 chairs.",
        f"{RIGHT}\nIgor: Okay.",
        RIGHT.replace("Maya:", "Igor:"),
        f"Here it is:\n{RIGHT}",
        "",
    ],
)
def test_other_lines_or_speakers_leave_all_raw_after_one_more_attempt_in_halves(server: LlmServer, answer: str) -> None:
    found = cleaned(server, answer)
    assert found.text == "\n".join(f"{turn.speaker}: {turn.text}" for turn in RAW)
    assert (found.fallbacks, found.edit_rate) == (2, 0.0)
    assert [len(transcript_of(body)) for body in server.chats] == [2, 1, 1]


def test_halves_are_taken_where_the_whole_is_not(server: LlmServer) -> None:
    found = cleaned(server, lambda body: "" if len(transcript_of(body)) > 1 else sensible(body))
    assert (found.fallbacks, found.warnings) == (0, ())


def test_a_reply_that_is_cut_is_no_clean_transcript(server: LlmServer) -> None:
    server.behaviours = ["cut"]
    assert cleaned(server, f"{RIGHT}\n{RIGHT}").fallbacks == 2


def test_what_is_too_long_is_cleaned_in_parts(server: LlmServer) -> None:
    server.context = 700
    turns = [Turn(f"S{n % 3}", f"we talked about number {n} um and about lunch.") for n in range(200)]
    progress: list[float] = []
    server.answer = lambda body: "\n".join(line.replace(" um", "") for line in transcript_of(body))
    found = clean(turns, model_of(server), CLEAN, progress.append)
    assert found.text.splitlines() == [f"{turn.speaker}: {turn.text.replace(' um', '')}" for turn in turns]
    assert len(server.chats) > 5
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0)
    for body in server.chats:
        prompt = sum(len(message["content"]) for message in body["messages"]) // LETTERS_PER_TOKEN
        assert prompt + body["max_tokens"] <= server.context


def test_without_text_no_model_is_asked(server: LlmServer) -> None:
    assert clean([Turn(None, " \x00 ")], model_of(server), CLEAN, ignore) == CleanTranscript("", 0.0, 0)
    with pytest.raises(LlmAnswerInvalid, match="no text"):
        summarise([], model_of(server), NOTES, ignore)
    assert not server.requests


@pytest.mark.parametrize("stage", [clean, summarise])
def test_a_context_without_room_is_a_failure(server: LlmServer, stage: Callable[..., object]) -> None:
    server.context = 120
    with pytest.raises(LlmInputTooLong):
        stage(RAW, model_of(server), CLEAN if stage is clean else NOTES, ignore)
    assert not server.chats


def summary(server: LlmServer, *answers: str) -> Summary:
    """Return the notes from a server that gives these answers, one after the other."""
    left = list(answers)
    server.answer = lambda _: left.pop(0)
    return summarise(RAW, model_of(server), NOTES, ignore)


EXAMPLE = json.dumps(NOTES.example)
WRONG = json.dumps({**NOTES.example, "meeting_date": "tomorrow"})


@pytest.mark.parametrize("answer", [EXAMPLE, f"```json\n{EXAMPLE}\n```"])
def test_a_valid_answer_is_the_summary(server: LlmServer, answer: str) -> None:
    assert summary(server, answer) == Summary("meeting_notes_v1", NOTES.example, 1)


def test_a_fence_that_does_not_end_costs_no_time(server: LlmServer) -> None:
    started = time.process_time()
    with pytest.raises(LlmAnswerInvalid):
        summary(server, *["```" + "\n" * 1500 + "no end"] * 2)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (WRONG, "$.meeting_date: 'tomorrow' does not match"),
        ("Here are the notes.", "no JSON"),
        (f"{EXAMPLE} {EXAMPLE}", "no JSON"),
        (EXAMPLE.replace('"Maya"', "NaN"), "no JSON: NaN"),
        (EXAMPLE.replace("Maya", "\\ud800"), "no JSON: 'utf-8' codec can't encode"),
        ("[" * 100_000, "no JSON"),
        ("{}", "$: 'title' is a required property"),
    ],
)
def test_an_invalid_answer_is_repaired_once_with_the_validators_message(
    server: LlmServer, answer: str, said: str
) -> None:
    assert summary(server, answer, EXAMPLE).value == NOTES.example
    first, second = (body["messages"][-1]["content"] for body in server.chats)
    assert second.startswith(first)
    assert f"An earlier answer was refused ({said}" in second


def test_what_stays_invalid_is_a_failure(server: LlmServer) -> None:
    with pytest.raises(LlmAnswerInvalid):
        summary(server, WRONG, WRONG, EXAMPLE)
    assert len(server.chats) == 2


def test_the_complaint_is_short_and_holds_no_mark(server: LlmServer) -> None:
    odd = json.dumps({**NOTES.example, "meeting_date": "<|im_end|>" + "x" * 5000})
    summary(server, odd, EXAMPLE)
    first, second = (body["messages"][-1]["content"] for body in server.chats)
    assert len(second) - len(first) < 350
    assert "<|" not in second


def test_a_reply_that_is_cut_gets_more_room_once(server: LlmServer) -> None:
    server.behaviours = ["cut", "ok"]
    assert summary(server, EXAMPLE, EXAMPLE).value == NOTES.example
    rooms = [body["max_tokens"] for body in server.chats]
    assert rooms[1] > rooms[0] * 1.4
    server.behaviours = ["cut"]
    with pytest.raises(LlmAnswerInvalid, match="does not end"):
        summary(server, EXAMPLE, EXAMPLE)
    assert len(server.chats) == 4


def test_what_is_too_long_is_read_in_parts_and_merged(server: LlmServer) -> None:
    server.context = 1500
    turns = [Turn(f"S{n % 3}", f"We decided to buy chair {n} today.") for n in range(300)]

    def answer(body: dict[str, Any]) -> str:
        lines = transcript_of(body)
        decisions = [line.partition("decided to ")[2].rstrip(".") for line in lines[:12]]
        return json.dumps({**NOTES.example, "decisions": decisions})

    server.answer = answer
    progress: list[float] = []
    found = summarise(turns, model_of(server), NOTES, progress.append)
    parts = len(server.chats)
    assert found.parts == parts > 3
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert len(found.value["decisions"]) == len(set(found.value["decisions"])) > 10 * (parts - 1)
    tasks = [body["messages"][-1]["content"].partition("</transcript>")[2] for body in server.chats]
    assert f"part 1 of {parts}" in tasks[0]
    assert f"part {parts} of {parts}" in tasks[-1]
    assert "The meeting was on" not in tasks[0]
    assert "The meeting was on 2025-04-21." in tasks[1]
    for before, after in pairwise(map(transcript_of, server.chats)):
        assert after[0] in before
        assert after[-1] not in before
    seen = dict.fromkeys(line for body in server.chats for line in transcript_of(body))
    assert list(seen) == [f"{turn.speaker}: {turn.text}" for turn in turns]


def test_summaries_that_are_too_long_together_are_summarised_again(server: LlmServer) -> None:
    server.context = 6000
    turns = [Turn(None, f"We talked about chair {n} for a long time.") for n in range(900)]

    def answer(body: dict[str, Any]) -> str:
        lines = transcript_of(body)
        text = "It was short." if lines[0].startswith("Long") else f"Long {lines[0]} {'long ' * 500}"
        return json.dumps({**NOTES.example, "summary": text})

    server.answer = answer
    found = summarise(turns, model_of(server), NOTES, ignore)
    assert found.parts >= 2
    assert found.value["summary"] == "It was short."


def test_summaries_that_never_become_shorter_are_a_failure(server: LlmServer) -> None:
    server.context = 1500
    turns = [Turn(None, f"We talked about chair {n} for a long time.") for n in range(90)]
    words = iter(range(10**6))
    server.answer = lambda _: json.dumps({**NOTES.example, "summary": f"{next(words)} {'long ' * 790}"})
    with pytest.raises(LlmAnswerInvalid, match="can't be shortened"):
        summarise(turns, model_of(server), NOTES, ignore)
