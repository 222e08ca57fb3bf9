"""``maie models``: which models there are, and whether those here are sound."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maie import backends
from maie.errors import ConfigurationError
from maie.models.catalogue import catalogue
from maie.models.check import Verdict, models_in, verify
from maie.models.files import model_name
from maie.settings import load_settings

MARKS: Mapping[bool | None, str] = {True: "ok", False: "NO", None: "??"}
FEW_LANGUAGES = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the models of the catalogue, and which of them are here")
    checking = actions.add_parser("verify", help="whether the files of the models here are what they must be")
    checking.add_argument("names", nargs="*", metavar="NAME", help="only these models")
    for action in (listing, checking):
        action.add_argument(
            "--models",
            action="append",
            type=Path,
            default=[],
            metavar="DIR",
            help="where models lie, repeatable; the models of the settings when left out",
        )
        action.add_argument("--json", action="store_true", help="the same as JSON")


def run(given: argparse.Namespace) -> int:
    """List or verify; 0: done and sound, 1: a model is not sound, 2: it could not be found out.

    Raises:
        ConfigurationError: A folder can't be read, or no model is there to verify.
    """
    if given.action == "list":
        folders = [folder for folder in given.models if folder.is_dir()]
        return _list(models_in(folders) if given.models else _of_this_machine(), given.json)
    return _verify(models_in(given.models) if given.models else _of_settings(), given.names, given.json)


def _of_this_machine() -> list[Path]:
    """Return the folders of the models that this machine is set to and has; none where it has no settings."""
    try:
        return _of_settings()
    except ConfigurationError:
        return []


def _of_settings() -> list[Path]:
    """Return the folders of the models that this machine is set to and has."""
    settings = load_settings()
    asr = settings.asr_model if backends.ASR[settings.asr_backend].in_process else None
    return [folder for folder in (asr, settings.llm_model) if folder and folder.is_dir()]


def _list(here: Sequence[Path], as_json: bool) -> int:
    models = [_known(name, here) for name in catalogue()]
    models += [_own(folder) for folder in here if model_name(folder) not in catalogue()]
    if as_json:
        sys.stdout.write(json.dumps({"models": models}, ensure_ascii=False, indent=2) + "\n")
        return 0
    for model in models:
        sys.stdout.write(
            f"{'here' if model['folders'] else '-':<5} {model['name']:<32} {model['kind'] or '-':<4} "
            f"{model['bytes'] / 1e6:9,.1f} MB  {model['licence'] or '-':<11} {_languages(model['languages'])}\n"
        )
    return 0


def _known(name: str, here: Sequence[Path]) -> dict[str, Any]:
    model = catalogue()[name]
    return {
        "name": name,
        "kind": model.kind,
        "engine": model.engine,
        "licence": model.licence,
        "languages": list(model.languages),
        "bytes": model.size,
        "sources": list(model.origins),
        "folders": [str(folder) for folder in here if model_name(folder) == name],
    }


def _own(folder: Path) -> dict[str, Any]:
    """Return the row of a model that the catalogue does not know."""
    unknown: dict[str, Any] = {"kind": None, "engine": None, "licence": None, "languages": [], "sources": []}
    try:
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be read: {error.strerror}.") from error
    return {"name": model_name(folder), **unknown, "bytes": size, "folders": [str(folder)]}


def _languages(codes: Sequence[str]) -> str:
    return (" ".join(codes) if len(codes) <= FEW_LANGUAGES else f"{len(codes)} languages") or "-"


def _verify(here: Sequence[Path], names: Sequence[str], as_json: bool) -> int:
    missing = set(names) - {model_name(folder) for folder in here}
    if missing:
        raise ConfigurationError(f"No model of this name is here: {', '.join(sorted(missing))}.")
    chosen = [folder for folder in here if not names or model_name(folder) in names]
    if not chosen:
        raise ConfigurationError("There is no model here to verify.")
    verdicts = list(_told(chosen, silent=as_json))
    if as_json:
        models = [{**vars(verdict), "folder": str(verdict.folder)} for verdict in verdicts]
        sys.stdout.write(json.dumps({"models": models}, ensure_ascii=False, indent=2) + "\n")
    if any(verdict.sound is False for verdict in verdicts):
        return 1
    return 0 if all(verdict.sound for verdict in verdicts) else 2


def _told(folders: Sequence[Path], silent: bool) -> Iterator[Verdict]:
    """Yield the verdict on each model, and print it at once: gigabytes take their time."""
    for folder in folders:
        verdict = verify(folder)
        if not silent:
            line = f"{MARKS[verdict.sound]}  {verdict.name:<32} {' '.join(verdict.problems) or verdict.by}"
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        yield verdict
