"""Which language a piece is taken for, by faster-whisper itself and a model of three languages that knows nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from maie.asr import faster_whisper
from maie.asr.base import RecognitionRequest
from maie.asr.faster_whisper import FasterWhisper
from maie.models.files import asr_languages
from maie.settings import Settings
from support import multilingual_model
from support.audiofiles import MODEL, Samples, sample

LONG, SHORT = sample()[: 4 * 16_000], sample()[: 2 * 16_000]
Scripted = Callable[..., FasterWhisper]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FasterWhisper:
    folder = multilingual_model.make(tmp_path_factory.mktemp("model"))
    return faster_whisper.load(Settings(profile="embedded", asr_model=folder, asr_beam_size=1, asr_threads=1))


@pytest.fixture
def hears(model: FasterWhisper, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Let the model hear languages with given probabilities, one in each piece."""

    def script(*heard: tuple[str, float]) -> FasterWhisper:
        monkeypatch.setattr(model, "_detected", lambda _: list(heard))
        return model

    return script


def languages(model: FasterWhisper, pieces: list[Samples], request: RecognitionRequest) -> list[str]:
    return [heard.language for heard in model.recognise(pieces, request)]


def test_the_engine_and_the_vocabulary_agree_on_what_the_model_knows(model: FasterWhisper) -> None:
    assert model._whisper.model.is_multilingual
    assert model.languages == multilingual_model.LANGUAGES


def test_the_model_decides_unless_it_is_told(model: FasterWhisper) -> None:
    (found,) = languages(model, [LONG], RecognitionRequest())
    assert found in multilingual_model.LANGUAGES
    assert languages(model, [LONG, LONG], RecognitionRequest("vi")) == ["vi", "vi"]
    assert model.recognise_again(SHORT, RecognitionRequest("vi")).language == "vi"


def test_each_piece_has_the_language_that_is_heard_in_it(hears: Scripted) -> None:
    model = hears(("vi", 0.9), ("en", 0.95), ("vi", 0.9))
    assert languages(model, [LONG, LONG, LONG], RecognitionRequest()) == ["vi", "en", "vi"]


@pytest.mark.parametrize(("piece", "probability"), [(SHORT, 0.99), (LONG, 0.5)])
def test_a_piece_that_does_not_tell_its_language_has_that_of_what_came_before(
    hears: Scripted, piece: Samples, probability: float
) -> None:
    assert languages(hears(("vi", 0.9), ("de", probability)), [LONG, piece], RecognitionRequest()) == ["vi", "vi"]
    assert languages(hears(("de", probability)), [piece], RecognitionRequest(likely="en")) == ["en"]
    assert languages(hears(("de", probability)), [piece], RecognitionRequest()) == ["de"]


def test_pieces_of_different_languages_are_encoded_once(hears: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hears(("vi", 0.9), ("en", 0.95), ("vi", 0.9))
    encoded: list[int] = []
    encode = model._whisper.encode

    def counted(features: Any) -> Any:
        encoded.append(len(features))
        return encode(features)

    monkeypatch.setattr(model._whisper, "encode", counted)
    assert languages(model, [LONG, LONG, LONG], RecognitionRequest()) == ["vi", "en", "vi"]
    assert encoded == [3]


@pytest.fixture(scope="module")
def english() -> FasterWhisper:
    return faster_whisper.load(Settings(profile="embedded", asr_model=MODEL, asr_threads=1))


@pytest.mark.parametrize(
    ("word", "border"), [("Anastasia, ", ","), ("劳拉、", "、"), ("Встреча ", " "), ("会议参加者", "")], ids=str
)
def test_a_long_prompt_is_cut_between_words_and_never_to_next_to_nothing(
    english: FasterWhisper, word: str, border: str
) -> None:
    prompt = (word * 300)[:500]
    kept = english.fitting(prompt)
    tokens = len(english._whisper.hf_tokenizer.encode(f" {kept}", add_special_tokens=False).ids)
    assert prompt.startswith(kept)
    assert 0.7 * faster_whisper.MAX_PROMPT_TOKENS < tokens <= faster_whisper.MAX_PROMPT_TOKENS
    assert prompt[len(kept)] == border or not border
    assert english.fitting(kept) == kept


@pytest.mark.parametrize("samples", [1, 80, 320])
def test_a_piece_of_next_to_no_length_is_heard(english: FasterWhisper, samples: int) -> None:
    (heard,) = english.recognise([sample()[16_000 : 16_000 + samples]], RecognitionRequest("en"))
    assert all(0 <= segment.start <= segment.end for segment in heard.segments)


def test_tiny_en_is_english_only_for_the_engine_too(english: FasterWhisper) -> None:
    assert not english._whisper.model.is_multilingual
    assert english.languages == asr_languages(MODEL) == ("en",)
