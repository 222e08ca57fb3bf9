"""What the recognition stage does around an engine: chunks, second hearings, times, languages, what it tells."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from typing import Any

import ctranslate2
import faster_whisper
import multilingual_model
import pytest
from audiofiles import MODEL
from maie import asr as engines
from maie.asr.base import Ask, Heard, Samples
from maie.domain import SAMPLE_RATE, Segment, Span, TaskOptions, Word
from maie.errors import ConfigurationError, NotAvailable
from maie.settings import Settings
from maie.stages import asr
from maie.stages.asr import _append
from maie.stages.decode import SAMPLE_BYTES, Audio
from maie.stages.levels import Levels
from tokenizers import Tokenizer


def segment(start: float, end: float, **changes: Any) -> Segment:
    values = {"text": "words", "avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.1, **changes}
    return Segment(start=start, end=end, **values)


class Script:
    """An engine that hears what it is told to, and notes what it was asked."""

    batch_size = 2
    versions: dict[str, Any] = {}  # noqa: RUF012 - the protocol's

    def __init__(self, *heard: Heard, again: Sequence[Heard] = (), languages: tuple[str, ...] = ("en",)) -> None:
        self._heard, self._again = iter(heard), iter(again)
        self.languages = languages
        self.asked: list[tuple[list[int], Ask]] = []
        self.asked_again: list[tuple[int, Ask]] = []

    def recognise(self, pieces: Sequence[Samples], ask: Ask) -> list[Heard]:
        self.asked.append(([len(piece) for piece in pieces], ask))
        return [next(self._heard) for _ in pieces]

    def recognise_again(self, piece: Samples, ask: Ask) -> Heard:
        self.asked_again.append((len(piece), ask))
        return next(self._again)

    def fitting(self, prompt: str) -> str:
        return prompt[:30]


def said(*segments: Segment, language: str = "en") -> Heard:
    return Heard(segments, language)


def transcribe(
    engine: Script, speech: list[Span], detected: bool = True, **options: Any
) -> tuple[asr.Recognition, list[float]]:
    told: list[float] = []
    samples = round(max((span.end for span in speech), default=1.0) * SAMPLE_RATE)
    with tempfile.TemporaryFile() as file:
        file.truncate(SAMPLE_BYTES * samples)
        audio = Audio(file, samples, Levels(), ())
        return asr.transcribe(audio, speech, engine, TaskOptions(**options), told.append, detected), told


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
    assert engine.asked == [([SAMPLE_RATE], Ask("en", None, "Maya, Wren", True))]


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


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 9.5, text="sure")), "sure"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 9.5, text="less", avg_logprob=-1.6)), "words"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(segment(0, 2, text="little")), "words"),
        (said(segment(0, 9.5, avg_logprob=-1.1)), said(), "words"),
        (said(segment(0, 9.5, text="so " * 40, avg_logprob=-0.1)), said(segment(0, 9, text="so")), "so"),
        (said(), said(segment(0, 9, text="late")), "late"),
    ],
    ids=["surer", "less sure", "less covered", "nothing", "no loop", "something"],
)
def test_of_two_hearings_the_one_with_more_evidence_stands(first: Heard, second: Heard, kept: str) -> None:
    engine = Script(first, said(segment(0, 9.5)), again=[second])
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)])
    assert [s.text for s in found.transcript.segments] == [kept, "words"]
    assert [length for length, _ in engine.asked_again] == [10 * SAMPLE_RATE]


def test_only_what_has_no_text_is_heard_again_and_put_in_its_place() -> None:
    late = segment(1, 3, text="late", words=(Word(1, 3, "late", 0.9),))
    engine = Script(said(segment(0, 4), segment(9, 12)), again=[said(late)])
    found, _ = transcribe(engine, [Span(0, 5), Span(5.5, 12)], word_timestamps=True)
    assert [(s.start, s.end, s.text) for s in found.transcript.segments] == [
        (0, 4, "words"),
        (5, 7, "late"),
        (9, 12, "words"),
    ]
    assert found.transcript.segments[1].words == (Word(5, 7, "late", 0.9),)
    assert engine.asked_again == [(5 * SAMPLE_RATE, Ask("en", "en", None, True))]


def test_seconds_without_text_are_not_heard_again_where_nobody_speaks() -> None:
    engine = Script(said(segment(0, 4), segment(7, 12)))
    transcribe(engine, [Span(0, 4.5), Span(6.6, 12)])
    assert engine.asked_again == []


def test_what_is_found_without_confidence_fills_no_hole() -> None:
    engine = Script(said(segment(0, 4)), again=[said(segment(0, 5, text="invented", avg_logprob=-1.3))])
    found, _ = transcribe(engine, [Span(0, 10)])
    assert [s.text for s in found.transcript.segments] == ["words"]


def test_punctuation_alone_is_no_text() -> None:
    engine = Script(said(segment(0, 9.5, text="...")), again=[said(segment(0, 9.5))])
    found, _ = transcribe(engine, [Span(0, 10)])
    assert [s.text for s in found.transcript.segments] == ["words"]


def test_a_word_that_others_end_or_begin_with_fills_a_hole() -> None:
    stands = (segment(0, 4, text="We met at the casino."), segment(9, 12, text="Some say so."))
    engine = Script(said(*stands), again=[said(segment(0, 3, text="No. So"))])
    found, _ = transcribe(engine, [Span(0, 12)])
    assert [s.text for s in found.transcript.segments] == [stands[0].text, "No. So", stands[1].text]


def test_without_a_detector_nothing_is_looked_for_where_there_is_no_text() -> None:
    engine = Script(said(segment(0, 4)))
    transcribe(engine, [Span(0, 10)], detected=False)
    assert engine.asked_again == []


@pytest.mark.parametrize("again", ["$50.", "Kevin, PLEASE"])
def test_what_only_says_again_what_stands_beside_it_fills_no_hole(again: str) -> None:
    stands = (segment(0, 4, text="The printer is $1,250."), segment(9, 12, text="Kevin, please order it."))
    engine = Script(said(*stands), again=[said(segment(0, 3, text=again))])
    found, _ = transcribe(engine, [Span(0, 12)])
    assert [s.text for s in found.transcript.segments] == [s.text for s in stands]
    assert len(engine.asked_again) == 1


def test_a_prompt_that_costs_words_is_left_out_and_that_is_told() -> None:
    engine = Script(said(segment(0, 2)), said(segment(0, 9.5)), said(segment(0, 9.5, text="all that was said")))
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30)], initial_prompt="Maya")
    assert [s.text for s in found.transcript.segments] == ["all that was said", "words"]
    assert found.warnings == (
        "The initial_prompt cost words in 1 of 2 stretches of speech, which were heard without it.",
    )
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None]


def test_a_prompt_that_costs_words_again_and_again_is_asked_no_more() -> None:
    short, whole = said(segment(0, 2)), said(segment(0, 9.5))
    engine = Script(short, short, whole, whole, short, short, whole, whole, whole)
    found, _ = transcribe(engine, [Span(place, place + 10) for place in range(0, 100, 20)], initial_prompt="Maya")
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None, None, "Maya", None, None, None]
    assert "in 4 of 5 stretches" in found.warnings[0]
    assert found.warnings[0].endswith("heard without it, and so were all after them.")


def test_one_stretch_that_lost_words_to_a_prompt_ends_it_for_no_other() -> None:
    """Engines that take one piece at a time would give it up at once."""
    short, whole = said(segment(0, 2)), said(segment(0, 9.5))
    engine = Script(short, whole, whole, whole)
    engine.batch_size = 1
    found, _ = transcribe(engine, [Span(0, 10), Span(20, 30), Span(40, 50)], initial_prompt="Maya")
    assert [ask.prompt for _, ask in engine.asked] == ["Maya", None, "Maya", "Maya"]
    assert found.warnings[0].endswith("in 1 of 3 stretches of speech, which were heard without it.")


def test_a_prompt_that_costs_nothing_is_not_blamed() -> None:
    engine = Script(said(segment(0, 4)), said(segment(0, 4)), again=[said()])
    found, _ = transcribe(engine, [Span(0, 10)], initial_prompt="Maya")
    assert found.warnings == ()


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
