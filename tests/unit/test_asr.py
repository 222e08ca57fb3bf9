"""What the recognition stage does around an engine: chunks, times, languages, what it tells, and how engines load."""

from __future__ import annotations

import json
from typing import Any

import ctranslate2
import faster_whisper
import pytest
from maie import asr as engines
from maie.asr.base import RecognitionRequest
from maie.domain import SAMPLE_RATE, Segment, Span, Word
from maie.errors import ConfigurationError, NotAvailable
from maie.settings import Settings
from maie.stages.asr import _append
from support import multilingual_model
from support.audiofiles import MODEL
from support.scripted_recogniser import Script, said, segment, transcribe
from tokenizers import Tokenizer


def test_without_speech_the_engine_is_not_asked() -> None:
    engine = Script()
    found, told = transcribe(engine, [])
    assert (found.transcript.segments, found.transcript.language) == ((), "en")
    assert found.warnings == ("No speech was found in the audio, which is nothing but digital silence.",)
    assert engine.asked == told == []


def test_progress_is_the_share_of_the_seconds_of_speech() -> None:
    spans = [Span(0, 20), Span(25, 35), Span(40, 50), Span(60, 70)]
    engine = Script(said(segment(0, 20)), said(segment(0, 10)), said(segment(0, 10)), said(segment(0, 10)))
    _, told = transcribe(engine, spans)
    assert told == pytest.approx([0.4, 0.6, 0.8, 1.0])


def test_a_language_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(NotAvailable, match="'de'"):
        transcribe(Script(), [Span(0, 1)], language="de")


def test_the_engine_is_told_what_the_client_asked_for() -> None:
    engine = Script(said(segment(0, 1)))
    transcribe(engine, [Span(0, 1)], initial_prompt=" Maya,\n Wren\x00 ", word_timestamps=True)
    assert engine.asked == [([SAMPLE_RATE], RecognitionRequest("en", None, "Maya, Wren", True))]


@pytest.mark.parametrize(
    "prompt",
    ["<|endoftext|>", "a<|notimestamps|>b", "<|noti<|nospeech|>mestamps|>", "<|\u200bnospeech|>", "<<||nospeech||>>"],
)
def test_no_control_token_reaches_the_model(prompt: str) -> None:
    engine = Script(said(segment(0, 1)))
    transcribe(engine, [Span(0, 1)], initial_prompt=prompt)
    tokens = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    ((_, ask),) = engine.asked
    found = tokens.encode(ask.prompt or "", add_special_tokens=False).ids
    assert all(token < tokens.token_to_id("<|endoftext|>") for token in found)


def test_a_prompt_is_cut_to_what_the_model_can_take_and_that_is_told() -> None:
    engine = Script(said(segment(0, 1)))
    found, _ = transcribe(engine, [Span(0, 1)], initial_prompt="Maya, Wren, Bartholomew, Anastasia")
    assert engine.asked[0][1].prompt == "Maya, Wren, Bartholomew, Anast"
    assert found.warnings == (
        "The initial_prompt was cut to its first 30 characters: with a longer one, speech would be lost.",
    )


def test_speech_without_words_is_told() -> None:
    engine = Script(said(), said(segment(0, 9.5)), again=[said()])
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)])
    assert found.warnings == ("No words were recognised in 1 of 2 stretches of speech (10 s).",)


def test_hardly_any_words_are_told() -> None:
    engine = Script(said(segment(0, 2)), said(segment(0, 9.5)), again=[said(segment(0, 1, text="..."))])
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)])
    assert [s.text for s in found.transcript.segments] == ["words", "words"]
    assert found.warnings == ("Hardly any words were recognised in 1 of 2 stretches of speech (10 s).",)


def test_several_languages_are_told_and_the_longest_counts() -> None:
    spans = [Span(0, 10), Span(20, 30), Span(40, 45)]
    engine = Script(
        said(segment(0, 10), language="vi"),
        said(segment(0, 10), language="vi"),
        said(segment(0, 5), language="en"),
        languages=("en", "vi"),
    )
    found, _ = transcribe(engine, spans)
    assert found.transcript.language == "vi"
    assert found.warnings == ("More than one language was heard: vi 20 s, en 5 s.",)
    assert [ask.likely for _, ask in engine.asked] == [None, "vi"]


def test_times_are_absolute_in_order_and_inside_their_chunk() -> None:
    segments: list[Segment] = []
    _append(segments, [segment(0.0, 2.0), segment(1.5, 4.0), segment(4.0, 29.0), segment(1.0, 2.0)], Span(100, 110))
    _append(segments, [segment(0.0, 3.0)], Span(109, 120))
    assert [(s.start, s.end) for s in segments] == [(100, 102), (102, 104), (104, 110), (110, 110), (110, 112)]


def test_words_are_absolute_in_order_and_inside_their_segment() -> None:
    segments: list[Segment] = []
    words = (Word(0.9, 1.5, "one", 0.9), Word(1.2, 2.5, "two", 0.8))
    _append(segments, [segment(1.0, 2.0, words=words)], Span(100, 110))
    assert segments[0].words == (Word(101.0, 101.5, "one", 0.9), Word(101.5, 102.0, "two", 0.8))


@pytest.mark.parametrize("missing", ["model.bin", "tokenizer.json"])
def test_a_model_that_is_not_whole_is_a_configuration_error(tmp_path: Any, missing: str) -> None:
    for file in MODEL.iterdir():
        if file.name != missing:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ConfigurationError, match=f"no model.*{missing} is missing"):
        engines.load(Settings(profile="embedded", asr_model=tmp_path))


def test_a_model_that_can_not_tell_the_times_of_words_is_a_configuration_error(tmp_path: Any) -> None:
    folder = multilingual_model.make(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "alignment_heads": None}))
    with pytest.raises(ConfigurationError, match="alignment_heads"):
        engines.load(Settings(profile="embedded", asr_model=folder))


def test_cuda_without_a_device_is_a_configuration_error() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, asr_device="cuda")
    with pytest.raises(ConfigurationError, match="no CUDA device"):
        engines.load(settings)


def test_a_gpu_that_can_not_be_worked_with_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutCublas(faster_whisper.WhisperModel):
        def __init__(self, path: str, **_: Any) -> None:
            super().__init__(path, device="cpu", local_files_only=True)

        def encode(self, _: Any) -> Any:
            raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    monkeypatch.setattr(faster_whisper, "WhisperModel", WithoutCublas)
    with pytest.raises(RuntimeError, match="libcublas"):
        engines.load(Settings(profile="embedded", asr_model=MODEL, asr_device="cuda"))


def test_an_unknown_compute_type_is_a_configuration_error() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, asr_compute_type="int3")
    with pytest.raises(ConfigurationError, match="can't be loaded"):
        engines.load(settings)
