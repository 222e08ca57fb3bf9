"""The ``maie`` command: the service's processes, and what an operator or a developer does by hand.

Exit codes: 0 yes or done; 1 no (the audio, the machine or the service is at fault); 2 unknown, or the command can't run
as configured. A subcommand's imports happen when it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maie.domain import EngineJob, Progress, Stage, TaskOptions, TaskResult, to_dict
from maie.errors import ConfigurationError, MaieError

if TYPE_CHECKING:
    from maie.exports import Form

Run = Callable[[argparse.Namespace], int]


@dataclass(frozen=True)
class Command:
    """One subcommand: its line in the help, what adds its arguments, and what runs it."""

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="maie", description="Upload audio, get a transcript, its clean form and a summary."
    )
    parser.add_argument("--version", action="version", version=f"maie {version('maie')}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.summary, description=command.summary)
        command.arguments(subparser)
    arguments = parser.parse_args(argv)
    try:
        return COMMANDS[arguments.command].run(arguments)
    except ConfigurationError as error:
        _say(f"maie: {error.detail}")
        return 2
    except MaieError as error:
        _say(f"maie: {error.detail}")
        return 1
    except PermissionError as error:
        _say(f"maie: {error.filename} is not open to the user {_user()}. {_remedy(arguments.command)}")
        return 2
    except KeyboardInterrupt:
        return 130


def _say(line: str, end: str = "\n") -> None:
    """Write for the person at the terminal; standard output is for results only."""
    sys.stderr.write(line + end)
    sys.stderr.flush()


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # of a container, which may give no name to it
        return str(os.getuid())


def _remedy(command: str) -> str:
    if command in ("api", "worker"):
        return f"The service's unit has what it needs: run 'systemctl start maie-{command}' as root."
    return "Run it as root."


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """For a subcommand that has none."""


def _api(_: argparse.Namespace) -> int:
    from maie.api.main import main as serve

    return serve()


def _worker(_: argparse.Namespace) -> int:
    from maie.worker.main import main as work

    return work()


def _transcribe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording of any format that the API takes")
    parser.add_argument("--language", help="ISO 639-1 code; the model decides when left out")
    parser.add_argument(
        "--track", type=int, metavar="N", help="number of the audio track, from 1, in a file of several"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="result", help="the whole result as JSON")
    form.add_argument("--srt", dest="form", action="store_const", const="srt", help="SubRip subtitles")
    form.add_argument("--vtt", dest="form", action="store_const", const="vtt", help="WebVTT subtitles")
    parser.add_argument("--clean", action="store_true", help="the clean transcript instead of the raw one")
    parser.add_argument("--summary", metavar="TEMPLATE", help="a summary as JSON, in the form of this template")
    parser.set_defaults(form="txt")


def _transcribe(arguments: argparse.Namespace) -> int:
    """Transcribe one file with the engine process, without API, queue or Redis."""
    from maie.access.offer import Offer, require_offer
    from maie.engine import Engine
    from maie.logs import configure_logging
    from maie.settings import load_settings

    settings = load_settings().model_copy(update={"log_level": "warning"})
    configure_logging(settings.log_level, sys.stderr)
    if not arguments.file.is_file():
        _say(f"maie: there is no file {arguments.file}.")
        return 2
    if arguments.form in ("srt", "vtt") and (arguments.clean or arguments.summary):
        _say("maie: subtitles have times, which a clean transcript and a summary have not: ask for one or the other.")
        return 2
    options = _options(arguments)
    require_offer(options.features, options.template_id, Offer.of(settings))
    job = EngineJob("local", arguments.file.resolve(), options)
    engine = Engine(settings)
    try:
        engine.start()
        result = engine.run(job, _ProgressLine())
    finally:
        engine.stop()
    for warning in result.warnings:
        _say(f"warning: {warning}")
    sys.stdout.write(_written(result, arguments.form))
    took, audio = result.metrics["processing_time_seconds"], result.metrics["input_duration_seconds"]
    _say(f"{audio:.1f} s of audio in {took:.1f} s: RTF {result.metrics['rtf']:.3f}")
    return 0 if result.error is None else 1


def _options(arguments: argparse.Namespace) -> TaskOptions:
    features = ["raw_transcript"]
    features += ["clean_transcript"] if arguments.clean else []
    features += ["summary"] if arguments.summary else []
    return TaskOptions(
        tuple(features),
        arguments.language,
        track=arguments.track,
        template_id=arguments.summary,
        llm_required=True,
    )


def _written(result: TaskResult, form: Form | Literal["result"]) -> str:
    """Return what a person asked for: with a clean transcript or a summary these and not the raw transcript."""
    from maie.exports import render

    if form == "result":
        return json.dumps(to_dict(result), ensure_ascii=False, indent=2) + "\n"
    asked = [result.clean.text + "\n"] if result.clean else []
    if result.summary:
        asked.append(json.dumps(result.summary.value, ensure_ascii=False, indent=2) + "\n")
    if asked and form == "txt":
        return "\n".join(asked)
    return render(result.transcript, form) if result.transcript else ""


class _ProgressLine:
    """Shows the stage and its percentage: in place on a terminal, a line per stage elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._stage: Stage | None = None
        self._shown = 0.0

    def __call__(self, progress: Progress | None) -> None:
        if progress is None:
            return
        if self._terminal and (time.monotonic() - self._shown > 0.1 or progress.fraction >= 1.0):
            self._shown = time.monotonic()
            _say(f"\r{progress.stage.name:<7}{progress.fraction:5.0%}", end="\n" if progress.fraction >= 1.0 else "")
        elif not self._terminal and progress.stage != self._stage:
            _say(f"{progress.stage.name} …")
        self._stage = progress.stage


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the findings as JSON")


def _doctor(arguments: argparse.Namespace) -> int:
    from maie.doctor import examine, exit_code
    from maie.logs import configure_logging

    configure_logging("error", sys.stderr)
    findings = []
    for finding in examine():
        findings.append(finding)
        if not arguments.json:
            sys.stdout.write(f"{finding.mark}  {finding.name:<12} {finding.detail}\n")
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(json.dumps({"findings": [to_dict(f) for f in findings]}, indent=2) + "\n")
    return exit_code(findings)


def _templates_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["check"])
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="of templates; that of the settings when left out"
    )


def _templates(arguments: argparse.Namespace) -> int:
    """Report of each template, including the built-in ones, whether it can be used."""
    from maie.prompting.template_set import check_templates
    from maie.settings import load_settings

    checked = check_templates(arguments.folder or load_settings().templates_dir)
    for folder, problems in checked.items():
        sys.stdout.write(f"{'NO' if problems else 'ok'}  {folder.name:<24} {' '.join(problems)}".rstrip() + "\n")
    return 1 if any(checked.values()) else 0


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    from maie.plan.command import arguments

    arguments(parser)


def _plan(arguments: argparse.Namespace) -> int:
    from maie.plan.command import run

    return run(arguments)


def _models_arguments(parser: argparse.ArgumentParser) -> None:
    from maie.models.command import arguments

    arguments(parser)


def _models(arguments: argparse.Namespace) -> int:
    from maie.models.command import run

    return run(arguments)


def _llm_ready_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to ask (600)")


def _llm_ready(arguments: argparse.Namespace) -> int:
    """Wait until the language model's server answers with a token; in its unit, give up when it has ended."""
    from maie.llm.ready import wait_for_token
    from maie.logs import configure_logging
    from maie.settings import load_settings

    configure_logging("error", sys.stderr)
    server = os.environ.get("MAINPID")
    trouble = wait_for_token(load_settings(), arguments.seconds, int(server) if server else None)
    if trouble is not None:
        _say(f"maie: {trouble}")
    return 0 if trouble is None else 1


COMMANDS: dict[str, Command] = {
    "api": Command("Serve the HTTP API.", _no_arguments, _api),
    "worker": Command("Take tasks from the queue and have them done.", _no_arguments, _worker),
    "transcribe": Command("Transcribe one file here and now.", _transcribe_arguments, _transcribe),
    "templates": Command("Say whether the templates can be used.", _templates_arguments, _templates),
    "doctor": Command("Say whether this machine can run the service as it is configured.", _doctor_arguments, _doctor),
    "models": Command("Say which models there are, and whether those here are sound.", _models_arguments, _models),
    "llm-ready": Command("Wait for a token of the language model's server.", _llm_ready_arguments, _llm_ready),
    "plan": Command("Say what the configuration needs of the device's memory.", _plan_arguments, _plan),
}
