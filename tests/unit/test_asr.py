"""The rules around the recogniser that need no model: what is decoded again, and which times a segment gets."""

from __future__ import annotations

import io
from typing import Any

import pytest
from audiofiles import MODEL
from maie.domain import SAMPLE_RATE, Segment, Span
from maie.errors import ConfigurationError, NotAvailable
from maie.settings import Settings
from maie.stages import asr
from maie.stages.asr import AsrModel, _append, _failed
from maie.stages.decode import Audio


def segment(start: float, end: float, **changes: Any) -> Segment:
    values = {"text": "words", "avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.1, **changes}
    return Segment(start=start, end=end, **values)


def english_model(**changes: Any) -> AsrModel:
    """A model that fails when anything is asked of it."""
    values = {"languages": ("en",), "compute_type": "int8", "beam_size": 1, "batch_size": 2, **changes}
    return AsrModel(whisper=None, pipeline=None, **values)


def audio(seconds: float) -> Audio:
    samples = round(seconds * SAMPLE_RATE)
    return Audio(io.BytesIO(bytes(2 * samples)), samples, ())


def test_without_speech_the_model_is_not_asked() -> None:
    transcript = asr.transcribe(audio(1), [], english_model(), None, lambda _: None)
    assert transcript.segments == ()
    assert transcript.language == "en"


def test_a_language_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(NotAvailable, match="'de'"):
        asr.transcribe(audio(1), [Span(0, 1)], english_model(), "de", lambda _: None)


@pytest.mark.parametrize(
    ("segments", "failed"),
    [
        ([segment(0, 9.5)], False),
        ([segment(0, 4), segment(5, 8)], False),
        ([], True),
        ([segment(0, 9.5, compression_ratio=2.5)], True),
        ([segment(0, 5), segment(5, 9.5, avg_logprob=-1.1)], True),
        ([segment(0, 7)], True),
    ],
)
def test_what_counts_as_failed(segments: list[Segment], failed: bool) -> None:
    assert _failed(segments, 10.0) is failed


def test_times_are_absolute_in_order_and_inside_their_chunk() -> None:
    segments: list[Segment] = []
    _append(segments, [segment(0.0, 2.0), segment(1.5, 4.0), segment(4.0, 29.0), segment(1.0, 2.0)], Span(100, 110))
    _append(segments, [segment(0.0, 3.0), segment(3, 4, text="")], Span(109, 120))
    assert [(s.start, s.end) for s in segments] == [(100, 102), (102, 104), (104, 110), (110, 110), (110, 112)]


def test_a_missing_model_is_a_configuration_error(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="no model"):
        asr.load(Settings(profile="embedded", asr_model=tmp_path))


def test_cuda_without_a_device_is_a_configuration_error() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, asr_device="cuda")
    with pytest.raises(ConfigurationError, match="no CUDA device"):
        asr.load(settings)


def test_an_unknown_compute_type_is_a_configuration_error() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL, asr_compute_type="int3")
    with pytest.raises(ConfigurationError, match="can't be loaded"):
        asr.load(settings)
