"""Clean transcripts in numbered lines, with a server that answers what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from maie.domain import CleanTranscript, Turn
from maie.errors import LlmInputTooLong
from maie.prompting.numbered import CLEAN
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.stages.clean import clean
from maie.stages.short_lines import LINE_WORDS, LONGEST_WORDS, short_lines
from support.llm_server import LlmServer, model_of, transcript_of

TEMPLATE = load_template(BUILT_IN / CLEAN_TRANSCRIPT)
RAW = [Turn("Igor", "um, so Yuki asked for, uh, for 50 chairs."), Turn("Maya", "I I will call Redstone Media.")]
RIGHT = "1. So Yuki asked for 50 chairs.\n2. I will call Redstone Media."


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


def cleaned(
    server: LlmServer, answer: str | Callable[[dict[str, Any]], str], turns: list[Turn] = RAW
) -> CleanTranscript:
    server.answer = answer if callable(answer) else lambda _: answer
    return clean(turns, model_of(server), TEMPLATE, lambda _: None, "en", "lines")


def unchanged(body: dict[str, Any]) -> str:
    return "\n".join(transcript_of(body))


def test_lines_are_numbered_and_known_by_their_numbers(server: LlmServer) -> None:
    found = cleaned(server, RIGHT)
    assert found.text == "Igor: So Yuki asked for 50 chairs.\nMaya: I will call Redstone Media."
    assert (found.fallbacks, found.warnings) == (0, ())
    (body,) = server.chats
    assert body["messages"][0] == {"role": "system", "content": CLEAN}
    assert transcript_of(body) == [f"{n}. {turn.speaker}: {turn.text}" for n, turn in enumerate(RAW, 1)]


@pytest.mark.parametrize(
    "answer",
    [
        "2. I will call Redstone Media.",
        "1. So Yuki asked for 15 chairs.\n2. I will call Redstone Media.",
        "Here you are:\n\n2. Maya: I will call Redstone Media.\n3. And more.",
        "2. I will call Redstone Media.\n2. I will",
        "1.\n2. I will call Redstone Media.",
    ],
)
def test_a_missing_or_unfaithful_line_alone_stays_raw(server: LlmServer, answer: str) -> None:
    found = cleaned(server, answer)
    assert found.text == "Igor: um, so Yuki asked for, uh, for 50 chairs.\nMaya: I will call Redstone Media."
    assert (found.fallbacks, len(found.warnings), len(server.chats)) == (1, 1, 1)


def test_an_answer_that_is_cut_counts_as_far_as_it_goes(server: LlmServer) -> None:
    server.behaviours = ["cut"]
    assert cleaned(server, f"{RIGHT}\n3. {'and so on ' * 9}").fallbacks == 0


def test_a_long_line_is_cleaned_in_short_ones_and_stays_one(server: LlmServer) -> None:
    said = (
        "I um asked for 12 chairs and two tables. They have no tables. So we um take the chairs, and the tables later."
    )
    turns = [Turn("Maya", said), Turn("Igor", "Okay.")]
    found = cleaned(
        server, lambda body: unchanged(body).replace(" um", "").replace("tables later", "rest later"), turns
    )
    assert found.text == f"Maya: {said.replace('I um', 'I')}\nIgor: Okay."
    assert found.fallbacks == 1
    assert len(transcript_of(server.chats[0])) == 3


def test_a_talk_of_any_length_loses_nothing(server: LlmServer) -> None:
    turns = [Turn(f"S{n % 3}", f"We talked about chair {n} um and about lunch.") for n in range(100)]
    found = cleaned(server, lambda body: unchanged(body).replace(" um", ""), turns)
    assert found.text.splitlines() == [f"{turn.speaker}: {turn.text.replace(' um', '')}" for turn in turns]
    assert all(len(transcript_of(body)) <= 6 for body in server.chats)


def test_a_small_context_means_fewer_lines_at_a_time(server: LlmServer) -> None:
    server.context = 240
    turns = [Turn(None, f"We talked about chair {n} um and about lunch.") for n in range(12)]
    assert cleaned(server, unchanged, turns).fallbacks == 0
    assert 2 < len(server.chats) <= 12
    server.context = 150
    with pytest.raises(LlmInputTooLong):
        cleaned(server, unchanged, turns)


def test_a_word_without_end_is_not_asked_for(server: LlmServer) -> None:
    found = cleaned(server, unchanged, [Turn("Igor", "x" * 5000), Turn("Maya", "Okay.")])
    assert (found.text, found.fallbacks) == (f"Igor: {'x' * 5000}\nMaya: Okay.", 1)
    assert transcript_of(server.chats[0]) == ["1. Maya: Okay."]


@pytest.mark.parametrize("said", ["word " * 500, "A b. " * 99, "Okay", "One, two. Three? " * 30, "3. no\n4. yes"])
def test_short_lines_are_the_line(said: str) -> None:
    short = short_lines(Turn("Ann", said))
    assert " ".join(line.text for line in short) == " ".join(said.split())
    assert {line.speaker for line in short} == {"Ann"}
    assert all(len(line.text.split()) <= (LINE_WORDS if "." in said else LONGEST_WORDS) for line in short)
