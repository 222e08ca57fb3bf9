"""The catalogue of models, and what ``maie models`` says of those that are here."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from maie.cli import main
from maie.models import catalogue as models_catalogue
from maie.models.catalogue import CatalogueFile, catalogue, prompts_of
from maie.plan.command import USUAL_MODELS
from maie.settings import Settings
from support.audiofiles import LLM, MODEL

PROJECT = Path(__file__).parents[2]
TINY = LLM.parent
ENTRIES: dict[str, Any] = json.loads((PROJECT / "app/src/maie/models/catalogue.json").read_text())
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a model of the project, as a device has it, and one of its operator's, as a control node has it."""
    shutil.copytree(MODEL, tmp_path / MODEL.name / "0123456789ab")
    own = tmp_path / "our-own"
    own.mkdir()
    (own / "model.bin").write_bytes(b"weights")
    (own / "SHA256SUMS").write_text(f"{hashlib.sha256(b'weights').hexdigest()}  model.bin\n")
    (tmp_path / ".half.part").mkdir()
    return tmp_path


def verdicts(models: Path, capsys: Capture, *names: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status = main(["models", "verify", *names, "--models", str(models), "--json"])
    return status, {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}


@pytest.mark.parametrize(
    ("folder", "served", "wanted", "prompts"),
    [
        ("models/small", "maie-llm", "auto", "lines"),
        ("models/small/0123456789ab", "maie-llm", "auto", "lines"),
        ("", "small", "auto", "lines"),
        ("models/other", "maie-llm", "auto", "whole"),
        ("models/small", "maie-llm", "whole", "whole"),
        ("", "other", "lines", "lines"),
    ],
)
def test_a_model_is_asked_as_the_catalogue_or_a_setting_says(
    monkeypatch: pytest.MonkeyPatch, folder: str, served: str, wanted: str, prompts: str
) -> None:
    small = replace(next(iter(catalogue().values())), name="small", prompts="lines")
    monkeypatch.setattr(models_catalogue, "catalogue", lambda: {"small": small})
    given = {"profile": "embedded", "asr_model": MODEL, "llm_model": folder, "llm_model_name": served}
    assert prompts_of(Settings(**given, llm_prompts=wanted)) == prompts


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_all_of_it(name: str) -> None:
    entry = ENTRIES[name]
    assert set(entry) - {"gate", "prompts"} == {"kind", "engine", "licence", "languages", "figures", "files", "sources"}
    for file in entry["files"]:
        assert file["size"] > 0
        assert SHA256.fullmatch(file.get("sha256", "")) or SHA1.fullmatch(file.get("git_id", "")), file
    assert entry["sources"]
    for source in entry["sources"]:
        if source["from"] == "hub":
            # Where no digest was published, patterns say what is needed of whatever the branch has at first.
            assert bool(SHA1.fullmatch(source["revision"])) == bool(entry["files"]) == ("files" not in source)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if "gate" in entry])
def test_what_the_smoke_test_asks_of_a_model(name: str) -> None:
    entry = ENTRIES[name]
    assert set(entry["gate"]) == {"wer"}
    for language, bound in entry["gate"]["wer"].items():
        assert language in entry["languages"]
        # Beyond it nobody needs an entry to see that the model is broken.
        assert 0 < bound < 0.4


@pytest.mark.parametrize("name", [name for name, model in catalogue().items() if "index" in model.origins])
def test_a_source_in_an_index_says_how_each_file_is_made(name: str) -> None:
    entry = ENTRIES[name]
    for source in (source for source in entry["sources"] if source["from"] == "index"):
        assert set(source["files"]) == {file["name"] for file in entry["files"] if "sha256" in file}
        used = {part["distribution"] for parts in source["files"].values() for part in parts}
        assert used == {one["name"] for one in source["distributions"]}
        assert all(SHA256.fullmatch(one["sha256"]) and one["size"] > 0 for one in source["distributions"])


@pytest.mark.parametrize("name", [name for name, model in catalogue().items() if "export" in model.origins])
def test_what_a_model_is_exported_from_is_there(name: str) -> None:
    for source in (source for source in ENTRIES[name]["sources"] if source["from"] == "export"):
        base, adapter = ENTRIES[source["base"]], source["adapter"]
        assert (base["kind"], len(base["files"])) == ("base", 1)
        assert (
            hashlib.sha256((PROJECT / "files/adapters" / adapter["name"]).read_bytes()).hexdigest() == adapter["sha256"]
        )
        assert all("sha256" in file for file in ENTRIES[name]["files"])


def test_small_language_models_are_asked_line_by_line() -> None:
    assert {name: model.prompts for name, model in catalogue().items() if model.kind == "llm"} == {
        "maie-llm-en-v2": "lines",
        "maie-llm-en-v2-hf": "lines",
        "Qwen3-4B-Instruct-2507-AWQ-4bit": "whole",
    }


def test_every_model_of_a_profile_is_in_it() -> None:
    deployed = yaml.safe_load((PROJECT / "group_vars/all.yml").read_text())["profile_models"]
    named = {profile[kind] for profile in deployed.values() for kind in ("asr", "llm")} - {""}
    named |= {
        value
        for usual in USUAL_MODELS.values()
        for key, value in usual.items()
        if key.endswith(("ASR_MODEL", "LLM_MODEL"))
    }
    assert named <= set(catalogue())


def test_list_says_what_there_is_and_what_is_here(models: Path, capsys: Capture) -> None:
    assert main(["models", "list", "--models", str(models), "--json"]) == 0
    told = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert set(told) == {*ENTRIES, "our-own"}
    assert told[MODEL.name]["folders"] == [str(models / MODEL.name / "0123456789ab")]
    assert (told["our-own"]["licence"], told["our-own"]["folders"]) == (None, [str(models / "our-own")])
    base = told["faster-whisper-base"]
    assert (base["licence"], len(base["languages"]), base["sources"]) == ("MIT", 99, ["index", "hub"])
    assert base["bytes"] == sum(file["size"] for file in ENTRIES["faster-whisper-base"]["files"])
    assert main(["models", "list", "--models", str(models), "--models", str(TINY)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("here")].count("our-own") == 1
    assert re.search(r"^-\s+faster-whisper-base .*147\.9 MB  MIT .* 99 languages$", "\n".join(lines), re.MULTILINE)


def test_the_models_of_the_settings_are_those_here(
    models: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIE_PROFILE", "embedded")
    monkeypatch.setenv("MAIE_ASR_MODEL", str(models / MODEL.name / "0123456789ab"))
    monkeypatch.setenv("MAIE_LLM_MODEL", str(models / "not-there"))
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out == f"ok  {MODEL.name:<32} catalogue\n"
    monkeypatch.delenv("MAIE_ASR_MODEL")
    assert main(["models", "verify"]) == 2


def test_the_catalogue_is_listed_where_there_are_no_settings_and_no_models(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a control node, before anything was fetched."""
    monkeypatch.delenv("MAIE_ASR_MODEL", raising=False)
    for arguments in ([], ["--models", str(tmp_path / "not-there")]):
        assert main(["models", "list", *arguments]) == 0
        told = capsys.readouterr().out
        assert "faster-whisper-base" in told
        assert "here" not in told


def test_sound_models_are_told_so(models: Path, capsys: Capture) -> None:
    status, told = verdicts(models, capsys)
    assert status == 0
    assert {name: (model["sound"], model["by"]) for name, model in told.items()} == {
        MODEL.name: (True, "catalogue"),
        "our-own": (True, "SHA256SUMS"),
    }


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "told"), [(flip, "another file"), (cut, "bytes instead of"), (Path.unlink, "missing")]
)
def test_a_damaged_file_is_found(models: Path, capsys: Capture, damage: Any, told: str) -> None:
    """Its own list of sums may have been written after the damage: the catalogue counts."""
    folder = models / MODEL.name / "0123456789ab"
    damage(folder / "tokenizer.json")
    (folder / "SHA256SUMS").unlink()
    status, found = verdicts(models, capsys)
    assert (status, found[MODEL.name]["sound"]) == (1, False)
    assert told in found[MODEL.name]["problems"][0]
    assert verdicts(models, capsys, "our-own")[0] == 0


def test_a_file_is_known_by_its_git_id_too(models: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CatalogueFile("a.json", 3, git_id="0967ef424bce6791893e9a57bb952f80fd536e93")  # as git hash-object says
    known = {"our-own": replace(catalogue()[MODEL.name], files=(file,))}
    monkeypatch.setattr("maie.models.check.catalogue", lambda: known)
    (models / "our-own/a.json").write_bytes(b"{}\n")
    assert verdicts(models, capsys, "our-own")[1]["our-own"]["sound"]
    (models / "our-own/a.json").write_bytes(b"[]\n")
    assert "Git id" in verdicts(models, capsys, "our-own")[1]["our-own"]["problems"][0]


@pytest.mark.parametrize("sums", [None, "", "what is this\n", f"{'0' * 64}  ../../etc/passwd\n"])
def test_what_nothing_is_known_of_can_not_be_found_out(models: Path, capsys: Capture, sums: str | None) -> None:
    path = models / "our-own/SHA256SUMS"
    if sums is None:
        path.unlink()
    else:
        path.write_text(sums)
    status, told = verdicts(models, capsys)
    assert (status, told["our-own"]["sound"], told[MODEL.name]["sound"]) == (2, None, True)
    flip(models / MODEL.name / "0123456789ab/model.bin")
    assert verdicts(models, capsys)[0] == 1


def test_no_model_is_no_answer(tmp_path: Path, models: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["models", "verify", "--models", str(tmp_path / "empty")]) == 2
    assert main(["models", "verify", "--models", str(tmp_path / "nowhere")]) == 2
    assert main(["models", "verify", "nobody", "--models", str(models)]) == 2
