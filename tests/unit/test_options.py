from __future__ import annotations

import pytest
from maie.access.offer import Offer
from maie.api.options import FEATURES, MAX_INITIAL_PROMPT, parse_options, require_language, text_options
from maie.domain import Stage, TaskOptions, to_dict
from maie.errors import InvalidRequest, NotAvailable, UnknownTemplate
from maie.pipeline import table
from maie.prompting.template_set import load_templates
from maie.settings import Settings
from support.audiofiles import MODEL

NO_LLM = Offer()
WITH_LLM = Offer(True, load_templates(None))


def test_nothing_asked_for_is_the_raw_transcript() -> None:
    options = parse_options({}, NO_LLM)
    assert options.features == ("raw_transcript",)
    assert options.language is None


@pytest.mark.parametrize(
    "values", [["raw_transcript"], ["raw_transcript,raw_transcript"], ["raw_transcript", "raw_transcript"], [" , "]]
)
def test_features_may_be_repeated_or_listed(values: list[str]) -> None:
    assert parse_options({"features": values}, NO_LLM).features == ("raw_transcript",)


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
        parse_options(fields, NO_LLM)
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
        {"track": ["0"]},
        {"track": ["-1"]},
        {"track": ["second"]},
        {"track": ["1000"]},
        {"track": ["1", "2"]},
        {"llm_required": ["perhaps"]},
        {"features": ["summary"]},
        {"template_id": ["meeting_notes_v1"]},
        {"features": ["clean_transcript"], "template_id": ["meeting_notes_v1"]},
        {"features": ["summary"], "template_id": ["meeting_notes_v1", "generic_summary_v1"]},
    ],
)
def test_what_nobody_knows_is_invalid(fields: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options(fields, WITH_LLM)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("name", ["poem_v1", "../meeting_notes_v1", "text_enhancement_v1", "x" * 1000])
def test_a_summary_needs_a_template_that_is_there_and_writes_json(name: str) -> None:
    with pytest.raises(UnknownTemplate) as caught:
        parse_options({"features": ["summary"], "template_id": [name]}, WITH_LLM)
    assert (caught.value.http_status, caught.value.code) == (422, "unknown_template")


def test_all_that_there_is_can_be_asked_for_at_once() -> None:
    fields = {"features": [",".join(FEATURES)], "template_id": ["meeting_notes_v1"], "llm_required": ["true"]}
    options = parse_options(fields, WITH_LLM)
    assert options == TaskOptions(FEATURES, template_id="meeting_notes_v1", llm_required=True)
    assert table.asked(options) == tuple(stage for stage in table.STAGES if stage.loss)


@pytest.mark.parametrize(
    ("features", "stages"),
    [
        ("raw_transcript", ()),
        ("clean_transcript", (table.CLEAN,)),
        ("enhancement_metrics", (table.CLEAN,)),
        ("summary", (table.SUMMARY,)),
        ("summary,enhancement_metrics", (table.CLEAN, table.SUMMARY)),
    ],
)
def test_features_say_which_stages_run(features: str, stages: tuple[Stage, ...]) -> None:
    assert table.asked(TaskOptions(tuple(features.split(",")))) == stages


def test_text_is_cleaned_unless_something_else_is_asked_for() -> None:
    assert text_options([], None, True, WITH_LLM).features == ("clean_transcript",)
    assert table.asked(text_options(["summary"], "meeting_notes_v1", True, WITH_LLM)) == (table.SUMMARY,)
    with pytest.raises(InvalidRequest, match="Unknown feature: 'raw_transcript'"):
        text_options(["raw_transcript"], None, True, WITH_LLM)
    with pytest.raises(NotAvailable):
        text_options([], None, True, NO_LLM)


def test_language_and_false_are_taken() -> None:
    assert parse_options({"language": ["en"], "enable_diarization": ["False"]}, NO_LLM).language == "en"


def test_what_the_recogniser_is_told_is_taken() -> None:
    options = parse_options({"initial_prompt": [" Maya, William \n"], "word_timestamps": ["true"]}, NO_LLM)
    assert (options.initial_prompt, options.word_timestamps) == ("Maya, William", True)
    assert parse_options({"initial_prompt": [" "]}, NO_LLM).initial_prompt is None


def test_a_track_is_taken_by_its_number() -> None:
    assert parse_options({"track": ["2"]}, NO_LLM).track == 2
    assert parse_options({"track": [""]}, NO_LLM).track is None
    assert parse_options({}, NO_LLM).track is None


def test_a_language_that_the_model_does_not_know_is_refused_without_loading_it() -> None:
    settings = Settings(profile="embedded", asr_model=MODEL)
    require_language("en", settings)
    require_language(None, settings)
    with pytest.raises(NotAvailable, match="'de'"):
        require_language("de", settings)


def test_options_survive_another_release() -> None:
    options = TaskOptions(("raw_transcript",), "en", "Maya", True, 2)
    assert TaskOptions.of(to_dict(options)) == options
    assert TaskOptions.of({"features": ["raw_transcript"], "language": None, "of_tomorrow": 1}) == TaskOptions()
