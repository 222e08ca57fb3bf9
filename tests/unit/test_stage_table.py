"""The stage table: each row can be run, and whoever reads it learns of a new row without a line of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from inspect import signature
from types import SimpleNamespace
from typing import Any, cast

import pytest
from maie import asr
from maie.access.offer import Offer, require_offer
from maie.api.metrics import TaskCollector
from maie.domain import EngineJob, Progress, Stage, StageCounter, TaskOptions, TaskResult, TaskStatus
from maie.errors import MaieError, NotAvailable
from maie.models.figures import figures
from maie.pipeline import table
from maie.pipeline.partial_results import without_the_rest
from maie.pipeline.run import load_models, run
from maie.plan.phases import PlannedModels, phases
from maie.settings import Settings
from maie.stages import clean
from maie.stages.work import Models, Report, Work
from maie.tasks.counters import increments
from maie.tasks.model import Outcome
from support.audiofiles import LLM, MODEL

HEAVY = {"av", "ctranslate2", "faster_whisper", "numpy", "onnxruntime", "soxr", "tokenizers", "torch"}

EXTRA = Stage(
    "extra",
    TaskStatus.PROCESSING_LLM,
    works_on="words",
    features=("extras",),
    loss="extra",
    memory=7 * 1024**2,
    counters=(StageCounter("extras", "Extras.", "extras"),),
)
SETTINGS = Settings(profile="embedded", asr_model=MODEL)


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One more row, and what does its work."""
    module = SimpleNamespace(run=lambda work, _: work.adding({"extras": len(work.turns)}))
    monkeypatch.setattr(table, "STAGES", (*table.STAGES, EXTRA))
    monkeypatch.setitem(sys.modules, "maie.stages.extra", module)
    return module


def ran(tmp_path: Any, features: tuple[str, ...], seen: list[Any] | None = None, llm: Any = None) -> TaskResult:
    """Return the result of a text of two turns."""
    source = tmp_path / "text"
    source.write_text('[{"speaker": null, "text": "One."}, {"speaker": null, "text": "Two three."}]', encoding="utf-8")
    job, told = EngineJob("task", source, TaskOptions(features), "text"), [] if seen is None else seen
    return run(job, Models(None, llm, {}, {}), SETTINGS, told.append, told.append)


@pytest.mark.parametrize("stage", table.STAGES, ids=lambda stage: stage.name)
def test_each_row_has_a_function_that_does_its_work(stage: Stage) -> None:
    given = signature(table.function(stage), eval_str=True)
    assert [p.annotation for p in given.parameters.values()] == [Work, Report]
    assert given.return_annotation is Work


@pytest.mark.parametrize("speech", [True, False])
def test_no_task_waits_for_the_code_of_a_stage(speech: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Stage] = []
    monkeypatch.setattr(table, "function", loaded.append)
    monkeypatch.setattr(asr, "load", lambda _: SimpleNamespace(versions={}))
    load_models(SETTINGS, speech)
    assert loaded == [stage for stage in table.STAGES if speech or stage.works_on == "words"]


def test_names_and_features_are_each_there_once() -> None:
    names, features = [stage.name for stage in table.STAGES], table.features()
    assert (len(set(names)), len(set(features))) == (len(names), len(features))


def test_a_row_runs_where_its_feature_is_asked_for(extra: SimpleNamespace, tmp_path: Any) -> None:
    assert table.features("text")[-1] == "extras"
    assert table.planned("text", TaskOptions(("extras",))) == (EXTRA,)
    assert table.planned("audio", TaskOptions(("extras",))) == (table.DECODE, table.VAD, table.ASR, EXTRA)
    seen: list[Any] = []
    result = ran(tmp_path, ("extras",), seen)
    assert (result.metrics["extras"], result.warnings, result.error) == (2, (), None)
    assert list(result.metrics["stage_seconds"]) == ["extra"]
    assert [p.stage for p in seen if isinstance(p, Progress)] == [EXTRA, EXTRA]
    assert sum(isinstance(p, TaskResult) for p in seen) == 1
    assert table.counted(result.metrics) == {"extras": 2}


def test_a_row_that_fails_costs_what_it_says(extra: SimpleNamespace, tmp_path: Any) -> None:
    def fail(work: Work, report: Report) -> Work:
        raise MaieError("It broke.")

    extra.run = fail
    result = ran(tmp_path, ("extras",))
    assert (result.warnings, result.error) == (("The extra is missing: It broke.",), None)
    asked = TaskOptions(("extras",), llm_required=True)  # which it does not need
    rest = without_the_rest(TaskResult(None, {"stage_seconds": {}}, {}), MaieError("Gone."), asked)
    assert (rest.warnings, rest.error) == (("The extra is missing: Gone.",), None)


def test_a_required_row_that_fails_fails_the_task(
    extra: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def fail(work: Work, report: Report) -> Work:
        raise MaieError("It broke.")

    extra.run = fail
    monkeypatch.setattr(table, "STAGES", (replace(EXTRA, loss=None),))
    with pytest.raises(MaieError, match="It broke"):
        ran(tmp_path, ())


@pytest.mark.parametrize("fails", [False, True])
def test_the_audio_is_given_back_before_the_words_are_worked_on(
    fails: bool, extra: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    closed: list[str] = []
    audio = SimpleNamespace(seconds=2.0, close=lambda: closed.append("closed"))

    def decode(work: Work, report: Report) -> Work:
        return replace(work, decoded=cast(Any, audio)).adding({"input_duration_seconds": 2.0})

    def recognise(work: Work, report: Report) -> Work:
        if fails:
            raise MaieError("It broke.")
        return work

    def count(work: Work, report: Report) -> Work:
        return work.adding({"extras": len(closed)})

    rows = (table.DECODE, table.ASR, EXTRA)
    monkeypatch.setattr(table, "STAGES", rows)
    done = dict(zip(rows, (decode, recognise, count), strict=True))
    monkeypatch.setattr(table, "function", done.__getitem__)
    job, told = EngineJob("task", tmp_path, TaskOptions(("extras",))), list[Any]()
    with pytest.raises(MaieError) if fails else nullcontext():
        result = run(job, Models(None, None, {}, {}), SETTINGS, told.append, told.append)
        assert (result.metrics["extras"], result.metrics["input_duration_seconds"]) == (1, 2.0)
    assert closed == ["closed"]
    assert [p.audio_seconds for p in told if isinstance(p, Progress) and p.audio_seconds] == [2.0]


def test_what_another_process_has_done_is_not_done_again(extra: SimpleNamespace, tmp_path: Any) -> None:
    begun = TaskResult(None, {"stage_seconds": {"decode": 1.0, "vad": 1.0, "asr": 1.0, "extra": 1.0}, "extras": 9}, {})
    job = EngineJob("task", tmp_path, TaskOptions(("extras",)), begun=begun)
    result = run(job, Models(None, None, {}, {}), SETTINGS, lambda _: None, lambda _: None)
    assert result.metrics["extras"] == 9


def test_without_words_only_the_language_models_stages_are_left_out(extra: SimpleNamespace, tmp_path: Any) -> None:
    source = tmp_path / "text"
    source.write_text("[]", encoding="utf-8")
    job = EngineJob("task", source, TaskOptions(("clean_transcript", "extras")), "text")
    result = run(job, Models(None, None, {}, {}), SETTINGS, lambda _: None, lambda _: None)
    assert result.metrics["extras"] == 0
    assert result.warnings == ("There are no words for the language model to work on.",)


def test_the_language_model_can_be_left_out_of_what_is_asked_for(extra: SimpleNamespace) -> None:
    options = TaskOptions(("raw_transcript", "summary", "extras", "enhancement_metrics"))
    assert table.without(options, "language_model").features == ("raw_transcript", "extras")
    assert table.asked(options, "language_model") == (table.CLEAN, table.SUMMARY)


def test_only_rows_that_need_a_language_model_need_one_here(
    extra: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_offer(("extras",), None, Offer())
    monkeypatch.setattr(table, "STAGES", (replace(EXTRA, needs="language_model"),))
    with pytest.raises(NotAvailable, match="extras"):
        require_offer(("extras",), None, Offer())


def test_a_rows_counters_are_summed_and_shown(extra: SimpleNamespace) -> None:
    metrics = {"processing_time_seconds": 1.0, "stage_seconds": {}, "extras": 3}
    sums = dict(increments(Outcome(TaskStatus.COMPLETE, metrics=metrics, counted=table.counted(metrics))))
    assert sums["extras"] == 3
    store: Any = SimpleNamespace(counters=lambda: sums, active=list, uploading=lambda _: 0, leases=list)
    shown = {sample.name: sample.value for family in TaskCollector(store, 5).collect() for sample in family.samples}
    assert (shown["maie_extras_total"], shown["maie_audio_seconds_total"]) == (3, 0)


@pytest.mark.parametrize(("needs", "phase"), [("nothing", "asr"), ("speech_model", "asr"), ("language_model", "llm")])
def test_a_rows_memory_counts_in_its_phase(
    needs: Any, phase: str, extra: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "STAGES", (replace(EXTRA, needs=needs),))
    models = PlannedModels(figures(SETTINGS.asr_model), figures(LLM))
    found = phases(models, SETTINGS, "in_process")
    assert [name for name, parts in found.items() if "extra at work" in [part.name for part in parts]] == [phase]
    assert next(part.size for part in found[phase] if part.name == "extra at work") == EXTRA.memory


def test_the_api_imports_nothing_heavy() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, maie.api.main; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY.isdisjoint(found.stdout.split())
    assert clean.__name__ not in found.stdout.split()
