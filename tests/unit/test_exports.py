"""The files that a transcript becomes."""

from __future__ import annotations

import json
from dataclasses import replace

from maie.domain import Segment, Transcript, Word
from maie.exports import MEDIA_TYPES, render


def segment(start: float, end: float, text: str) -> Segment:
    return Segment(start, end, text, -0.1, 1.1, 0.01)


TRANSCRIPT = Transcript(
    "en",
    (
        segment(0.0, 1.5, "Good morning."),
        segment(3661.0014, 3662.9999, "a < b & c --> d\n\nnext"),
        segment(3663.0, 3663.0, "no time"),
    ),
)


def test_text_has_a_line_for_each_segment() -> None:
    assert render(TRANSCRIPT, "txt") == "Good morning.\na < b & c --> d next\nno time\n"


def test_subrip() -> None:
    assert render(TRANSCRIPT, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n\n"
        "2\n01:01:01,001 --> 01:01:03,000\na < b & c → d next\n\n"
        "3\n01:01:03,000 --> 01:01:03,020\nno time\n"
    )


def test_webvtt_escapes_what_would_be_markup() -> None:
    assert render(TRANSCRIPT, "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGood morning.\n\n"
        "01:01:01.001 --> 01:01:03.000\na &lt; b &amp; c --&gt; d next\n\n"
        "01:01:03.000 --> 01:01:03.020\nno time\n"
    )


def test_json_holds_the_text_and_all_of_each_segment() -> None:
    value = json.loads(render(TRANSCRIPT, "json"))
    assert value["language"] == "en"
    assert value["text"].startswith("Good morning. a < b")
    assert value["segments"][0] == {
        "start": 0.0,
        "end": 1.5,
        "text": "Good morning.",
        "avg_logprob": -0.1,
        "compression_ratio": 1.1,
        "no_speech_prob": 0.01,
        "words": None,
    }
    assert Transcript.of(value) == TRANSCRIPT


def test_json_holds_the_words_where_there_are_any() -> None:
    spoken = replace(
        segment(0.0, 1.5, "Good morning."), words=(Word(0.0, 0.7, "Good", 0.9), Word(0.8, 1.4, "morning.", None))
    )
    value = json.loads(render(Transcript("en", (spoken,)), "json"))
    assert value["segments"][0]["words"][1] == {"start": 0.8, "end": 1.4, "text": "morning.", "probability": None}
    assert Transcript.of(value).segments == (spoken,)


def test_an_empty_transcript_is_a_valid_file_in_every_form() -> None:
    empty = Transcript("en", ())
    assert {form: render(empty, form) for form in MEDIA_TYPES if form != "json"} == {
        "txt": "",
        "srt": "",
        "vtt": "WEBVTT\n",
    }
    assert json.loads(render(empty, "json"))["segments"] == []
