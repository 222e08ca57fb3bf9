from __future__ import annotations

import pytest
from maie.api.options import parse_options
from maie.errors import InvalidRequest, NotAvailable


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
    ],
)
def test_what_nobody_knows_is_invalid(fields: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options(fields)
    assert caught.value.code == "invalid_request"


def test_language_and_false_are_taken() -> None:
    assert parse_options({"language": ["en"], "enable_diarization": ["False"]}).language == "en"
