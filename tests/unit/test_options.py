from __future__ import annotations

import pytest
from audiofiles import MODEL
from maie.api.options import MAX_INITIAL_PROMPT, parse_options, require_language
from maie.domain import TaskOptions, to_dict
from maie.errors import InvalidRequest, NotAvailable
from maie.settings import Settings


def test_nothing_asked_for_is_the_raw_transcript() -> None:
    options = parse_options({})
    assert options.features == ("raw_transcript",)
    assert options.language is None


@pytest.mark.parametrize(
    "values", [["raw_transcript"], ["raw_transcript,raw_transcript"], ["raw_transcript", "raw_transcript"], [" , "]]
)
def test_features_may_be_repeated_or_listed(values: list[str]) -> None:
    assert parse_options({"features": values}).features == ("raw_transcript",)


@pytest.mark.parametrize(
    "fields",
    [
        {"features": ["clean_transcript"]},
        {"features": ["raw_transcript,summary"]},
        {"features": ["enhancement_metrics"]},
        {"enable_diarization": ["true"]},
        {"template_id": ["meeting_notes_v1"]},
    ],
)
def test_what_the_deployment_does_not_offer_is_said(fields: dict[str, list[str]]) -> None:
    with pytest.raises(NotAvailable, match="not available in this deployment") as caught:
        parse_options(fields)
    assert caught.value.http_status == 422
    assert caught.value.code == "not_available"


@pytest.mark.parametrize(
    "fields",
    [
        {"features": ["poem"]},
        {"feature": ["raw_transcript"]},
        {"enable_diarization": ["maybe"]},
        {"enable_diarization": ["false", "false"]},
        {"language": ["English"]},
        {"language": ["../"]},
        {"initial_prompt": ["x" * (MAX_INITIAL_PROMPT + 1)]},
        {"initial_prompt": ["Maya", "William"]},
        {"word_timestamps": ["2"]},
    ],
)
def test_what_nobody_knows_is_invalid(fields: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options(fields)
    assert caught.value.code == "invalid_request"


def test_language_and_false_are_taken() -> None:
    assert parse_options({"language": ["en"], "enable_diarization": ["False"]}).language == "en"


def test_what_the_recogniser_is_told_is_taken() -> None:
    options = parse_options({"initial_prompt": [" Maya, William \n"], "word_timestamps": ["true"]})
    assert (options.initial_prompt, options.word_timestamps) == ("Maya, William", True)
    assert parse_options({"initial_prompt": [" "]}).initial_prompt is None


def test_a_language_that_the_model_does_not_know_is_refused_without_loading_it() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL)
    require_language("en", settings)
    require_language(None, settings)
    with pytest.raises(NotAvailable, match="'de'"):
        require_language("de", settings)


def test_options_survive_another_release() -> None:
    options = TaskOptions(("raw_transcript",), "en", "Maya", True)
    assert TaskOptions.of(to_dict(options)) == options
    assert TaskOptions.of({"features": ["raw_transcript"], "language": None, "of_tomorrow": 1}) == TaskOptions()
