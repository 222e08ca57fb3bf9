"""The operator's own templates: found, checked, refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from maie.errors import ConfigurationError
from maie.prompting.template import BUILT_IN
from maie.prompting.template_set import check_template, check_templates, load_templates

BUILT_IN_NAMES = {"generic_summary_v1", "interview_transcript_v1", "meeting_notes_v1", "text_enhancement_v1"}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A good template of an operator's, ready to be spoiled."""
    folder = tmp_path / "stand_up_v1"
    shutil.copytree(BUILT_IN / "generic_summary_v1", folder)
    return folder


def with_schema(folder: Path, **changes: Any) -> list[str]:
    """Return what is wrong with the template when fields of its schema's "title" are changed; None removes one."""
    schema = json.loads((folder / "schema.json").read_text())
    title = {**schema["properties"]["title"], **changes}
    schema["properties"]["title"] = {name: value for name, value in title.items() if value is not None}
    (folder / "schema.json").write_text(json.dumps(schema))
    return check_template(folder)


def test_the_built_in_templates_are_right() -> None:
    assert set(load_templates(None)) == BUILT_IN_NAMES
    assert all(problems == [] for problems in check_templates(None).values())


def test_a_dropped_folder_is_a_template(mine: Path) -> None:
    (mine.parent / ".git").mkdir()
    (mine.parent / "README.md").write_text("mine")
    templates = load_templates(mine.parent)
    assert set(templates) == {*BUILT_IN_NAMES, "stand_up_v1"}
    assert templates["stand_up_v1"].identity == "stand_up_v1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"maxLength": None}, "$.title takes text of any length"),
        ({"type": "array"}, "$.title takes lists of any length"),
        ({"type": "object"}, "$.title takes fields that it does not name"),
        ({"type": None}, "$.title takes anything"),
        ({"type": "text"}, "The schema is not valid at $.properties.title.type"),
        ({"maxLength": 3}, "The example does not fit the schema at $.title"),
        ({"$ref": "https://example.org/title.json"}, "refers to another document at $.title"),
        ({"$ref": "#/$defs/none"}, "The schema can't be used"),
        ({"pattern": "("}, "The schema is not valid at $.properties.title.pattern"),
        ({"anyOf": [{"type": "string"}]}, "$.title.anyOf[0] takes text of any length"),
    ],
)
def test_a_schema_that_can_not_be_used_is_refused(mine: Path, changes: dict[str, Any], said: str) -> None:
    assert said in " ".join(with_schema(mine, **changes))


@pytest.mark.parametrize("changes", [{"maxLength": None, "enum": ["Project Galaxy status meeting"]}, {"maxLength": 90}])
def test_a_schema_that_can_be_used_is_taken(mine: Path, changes: dict[str, Any]) -> None:
    assert with_schema(mine, **changes) == []


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("", "The prompt is empty."),
        ("{% if not parts %}Summarise.{% endif %}", "The prompt is empty."),
        ("{% if parts %}{{ unknown }}{% endif %}Summarise.", "The prompt of the template stand_up_v1 fails"),
    ],
)
def test_a_prompt_that_does_not_render_is_refused(mine: Path, prompt: str, said: str) -> None:
    (mine / "prompt.jinja").write_text(prompt)
    assert said in " ".join(check_template(mine))


def test_text_is_a_string(mine: Path) -> None:
    about = (mine / "template.yaml").read_text().replace("json", "text")
    (mine / "template.yaml").write_text(about)
    assert 'the type of the schema must be "string"' in " ".join(check_template(mine))


def test_a_template_has_a_plain_name_of_its_own(mine: Path) -> None:
    odd = mine.rename(mine.parent / "my notes")
    assert check_template(odd) == ["The name may have letters, digits, - and _, 64 at most."]
    same = odd.rename(mine.parent / "meeting_notes_v1")
    assert check_templates(mine.parent)[same] == ["A template that comes with the service has this name."]


def test_the_service_refuses_to_start_with_a_wrong_one_and_names_all(mine: Path) -> None:
    shutil.copytree(mine, mine.parent / "other_v1")
    (mine / "example.json").write_text("{}")
    (mine.parent / "other_v1" / "schema.json").unlink()
    with pytest.raises(ConfigurationError, match=r"stand_up_v1") as raised:
        load_templates(mine.parent)
    assert "other_v1" in str(raised.value)


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAIE_TEMPLATES_DIR"):
        check_templates(tmp_path / "none")


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ({"title": "title", "summary": "summary", "main_points": "points", "tags": "tags"}, None),
        ({"title": "title", "summary": "summary", "main_points": "points"}, "The steps lack tags."),
        ({"colour": "tags"}, "The steps have colour, which is no field of the schema."),
        ({"title": "poem"}, "The steps take title from 'poem'; it can be title, date,"),
        (["title"], "can't be read"),
    ],
)
def test_steps_name_fields_and_where_they_come_from(mine: Path, steps: Any, problem: str | None) -> None:
    about = {"name": "A", "description": "B", "language": "en", "steps": steps}
    (mine / "template.yaml").write_text(json.dumps(about))
    problems = check_template(mine)
    assert problems == [] if problem is None else any(told.find(problem) >= 0 for told in problems)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$defs": {"text": {"type": "string", "maxLength": 9}}}, "The steps can't follow the schema to another place"),
        ({"properties": 5}, "The schema is not valid at $.properties"),
    ],
)
def test_the_schema_of_steps_can_be_read_field_by_field(mine: Path, schema: Any, problem: str) -> None:
    about = json.loads((mine / "schema.json").read_text())
    about["properties"]["title"] = {"$ref": "#/$defs/text"}
    example = json.loads((mine / "example.json").read_text()) | {"title": "Short"}
    (mine / "schema.json").write_text(json.dumps({**about, **schema}))
    (mine / "example.json").write_text(json.dumps(example))
    (told,) = check_template(mine)
    assert problem in told
