"""The engines of speech recognition and of the language model are chosen from one table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from maie import asr, backends, llm
from maie.backends import Backend
from maie.domain import Progress
from maie.engine.pulse import worker_of
from maie.errors import ConfigurationError
from maie.pipeline import table
from maie.settings import Settings, load_settings
from support.audiofiles import MODEL

ROLE = Path(__file__).parents[2] / "roles/maie/meta/argument_specs.yml"


@pytest.mark.parametrize("rows", [backends.ASR, backends.LLM], ids=["asr", "llm"])
def test_each_row_can_be_loaded(rows: Mapping[str, Backend]) -> None:
    for name, row in rows.items():
        assert name == row.name
        assert (row.place == "nowhere") == (row.module == "")
        assert row.module == "" or callable(import_module(row.module).load)


@pytest.mark.parametrize("kind", ["asr", "llm"])
def test_a_new_row_is_an_engine_that_can_be_chosen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Any = getattr(backends, kind.upper())
    loaded = SimpleNamespace()
    monkeypatch.setitem(rows, "example", Backend("example", "an example", "server", "example_engine"))
    monkeypatch.setitem(sys.modules, "example_engine", SimpleNamespace(load=lambda _: loaded))
    settings = Settings(profile="embedded", asr_model=MODEL, **{f"{kind}_backend": "example"})
    assert {"asr": asr, "llm": llm}[kind].load(settings) is loaded
    stage = {"asr": table.ASR, "llm": table.CLEAN}[kind]
    assert worker_of(Progress(stage, 0.0).stage, settings) == "server"


@pytest.mark.parametrize("name", ["asr_backend", "llm_backend"])
def test_another_engine_is_refused_with_the_names_of_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"asr_backend": backends.ASR, "llm_backend": backends.LLM}[name]
    monkeypatch.setenv("MAIE_ASR_MODEL", str(MODEL))
    monkeypatch.setenv(f"MAIE_{name.upper()}", "riva")
    with pytest.raises(ConfigurationError, match=f"MAIE_{name.upper()}: .*must be one of {', '.join(rows)}"):
        load_settings()


@pytest.mark.parametrize("name", ["asr_backend", "llm_backend"])
def test_the_role_takes_the_same_engines(name: str) -> None:
    options = yaml.safe_load(ROLE.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    rows = {"asr_backend": backends.ASR, "llm_backend": backends.LLM}[name]
    assert options[f"maie_{name}"]["choices"] == list(rows)
