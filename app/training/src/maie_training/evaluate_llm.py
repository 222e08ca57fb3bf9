"""``maie-evaluate-llm``: make fresh held-out meetings from a seed and measure a language model on them.

Prints one JSON object. The exit status is 0 when all graded figures are within their limits, 1 when
one is not, 2 when nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from maie import llm
from maie.errors import MaieError
from maie.llm.base import Chat, LanguageModel, Reply
from maie.prompting.prompts import Message, messages, transcript_lines
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.settings import Settings

from maie_training.llm.views import Speakers, View, view_meeting
from maie_training.meetings import Meeting, MeetingComposer, Wording
from maie_training.scores import Kept, Matches, action_items, texts
from maie_training.splits import Split
from maie_training.wer import word_error_rate

_NOTES = "meeting_notes_v1"
_CONTEXT = 4_096


@dataclass
class Writer:
    """A language model of the service's, and what it has written so far: tokens, and the seconds that it took."""

    model: LanguageModel
    tokens: int = 0
    seconds: float = 0.0

    def answer(self, chats: Iterable[Sequence[Message]]) -> list[str]:
        """Return the answers to chats, in their order."""
        return [self._reply(tuple(chat)).text for chat in chats]

    def _reply(self, chat: tuple[Message, ...]) -> Reply:
        started = time.monotonic()
        room = self.model.context_tokens - self.model.count_tokens(chat)
        reply = self.model.reply(Chat(chat, room), lambda _: None)
        self.seconds += time.monotonic() - started
        self.tokens += reply.reply_tokens
        return reply


def load_writer(folder: Path, threads: int) -> Writer:
    """Return the writer with a CTranslate2 model folder, on the processor.

    Raises:
        MaieError: There is no such model.
    """
    given: dict[str, Any] = {
        "profile": "embedded",
        "asr_model": folder,
        "llm_backend": "ctranslate2",
        "llm_model": folder,
        "llm_threads": threads,
        "llm_context_tokens": _CONTEXT,
    }
    return Writer(llm.load(Settings(**given)))


@dataclass(frozen=True)
class Material:
    """Meetings to measure on; ``graded`` says that its figures have limits."""

    split: Split
    wording: Wording
    speakers: Speakers
    graded: bool = True


_NEW = Split("heldout", "heldout")
MATERIAL = {
    "new_names_labels": Material(_NEW, Wording("wide", "invented", True), "labels"),
    "new_names_no_speakers": Material(_NEW, Wording("wide", "invented", True), "none"),
    "known_words": Material(Split("heldout"), Wording(), "names"),
    "unseen_patterns": Material(_NEW, Wording("unseen", "invented", True), "labels", graded=False),
    "unnamed_no_speakers": Material(Split("heldout"), Wording(), "none", graded=False),
}


def _meetings(seed: int, name: str, material: Material, count: int) -> Iterator[Meeting]:
    for number in range(count):
        rng = random.Random(f"evaluate/{seed}/{name}/{number}")
        yield MeetingComposer(rng, material.split, wording=material.wording).compose()


def held_out(seed: int, name: str, count: int) -> Iterator[View]:
    """Yield meetings as they were said, of which training never saw a sentence."""
    material = MATERIAL[name]
    for number, meeting in enumerate(_meetings(seed, name, material, count)):
        yield view_meeting(meeting, random.Random(f"view/{seed}/{number}"), material.speakers)


def measure(writer: Writer, views: Sequence[View]) -> dict[str, Any]:
    """Return the figures of clean transcripts and notes of these views, as the model alone writes them."""
    clean, notes = load_template(BUILT_IN / CLEAN_TRANSCRIPT), load_template(BUILT_IN / _NOTES)
    transcripts = writer.answer(messages(clean, view.turns, view.context) for view in views)
    values = writer.answer(messages(notes, view.turns, view.context) for view in views)
    return {**_transcripts(views, transcripts), **_notes(notes.schema, views, values)}


def _transcripts(views: Sequence[View], answers: Sequence[str]) -> dict[str, Any]:
    kept, lines_kept, wrong = Kept(), 0, []
    wanted, found = [], []
    for view, answer in zip(views, answers, strict=True):
        right = "\n".join(view.clean)
        lines = answer.splitlines()
        speakers = [turn.speaker for turn in view.turns]
        as_many = len(lines) == len(speakers)
        if as_many and all(line.startswith(f"{name}: ") for line, name in zip(lines, speakers, strict=True) if name):
            lines_kept += 1
        kept.count("\n".join(transcript_lines(view.turns)), right, answer)
        wanted.append(right)
        found.append(answer)
        if word_error_rate([right], [answer]) > 0:
            wrong.append({"wanted": right, "answer": answer})
    return {
        "meetings": len(views),
        "words": sum(len(text.split()) for text in wanted),
        "clean_wer": round(word_error_rate(wanted, found), 5),
        "transcripts_without_error": len(views) - len(wrong),
        "lines_kept": lines_kept,
        "names_and_numbers": kept.wanted,
        "names_and_numbers_kept": round(kept.share, 5),
        "names_and_numbers_invented": kept.invented,
        "wrong_transcripts": wrong,
    }


def _notes(schema: dict[str, Any], views: Sequence[View], answers: Sequence[str]) -> dict[str, Any]:
    validator = Draft202012Validator(schema)
    valid, wrong = 0, []
    whose, what, decisions, people = Matches(), Matches(), Matches(), Matches()
    right = {"title": 0, "meeting_date": 0, "agenda": 0, "summary": 0}
    for view, answer in zip(views, answers, strict=True):
        wanted = asdict(view.notes)
        found: Any = {"action_items": [], "decisions": [], "participants": []}
        try:
            value = json.loads(answer)
        except ValueError:
            value = None
        if validator.is_valid(value):
            valid, found = valid + 1, value
        whose.count(action_items(wanted), action_items(found))
        what.count(action_items(wanted, assignee=False), action_items(found, assignee=False))
        decisions.count(texts(wanted["decisions"]), texts(found["decisions"]))
        people.count(wanted["participants"], found["participants"])
        for field in right:
            right[field] += wanted[field] == found.get(field)
        if wanted != found:
            wrong.append({"wanted": wanted, "answer": answer})
    return {
        "notes_valid": round(valid / len(views), 5),
        "action_items": whose.wanted,
        "action_items_f1": round(whose.f1, 4),
        "action_items_f1_without_assignee": round(what.f1, 4),
        "decisions_f1": round(decisions.f1, 4),
        "participants_f1": round(people.f1, 4),
        **{f"{field}_right": count for field, count in right.items()},
        "notes_without_error": len(views) - len(wrong),
        "wrong_notes": wrong,
    }


def within(figures: dict[str, Any], arguments: argparse.Namespace) -> bool:
    """Say whether the figures of one graded material keep the limits."""
    return bool(
        figures["clean_wer"] <= arguments.most_wer
        and figures["notes_valid"] >= arguments.least_valid
        and figures["action_items_f1"] >= arguments.least_f1
        and figures["names_and_numbers_kept"] >= arguments.least_kept
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the evaluation."""
    parser = argparse.ArgumentParser(prog="maie-evaluate-llm", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the CTranslate2 model")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--meetings", type=int, default=100, help="meetings of each material")
    parser.add_argument("--material", nargs="+", choices=MATERIAL, default=list(MATERIAL))
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("--examples", type=int, default=2, help="wrong answers shown of each kind")
    parser.add_argument("--most-wer", type=float, default=0.03, help="limit for clean transcripts")
    parser.add_argument("--least-kept", type=float, default=0.99, help="limit for names and numbers")
    parser.add_argument("--least-f1", type=float, default=0.9, help="limit for action items")
    parser.add_argument("--least-valid", type=float, default=1.0, help="limit for notes that fit the schema")
    arguments = parser.parse_args(argv)
    results: dict[str, dict[str, Any]] = {}
    try:
        writer = load_writer(arguments.model, arguments.threads)
        for name in arguments.material:
            results[name] = measure(writer, list(held_out(arguments.seed, name, arguments.meetings)))
    except (MaieError, OSError, RuntimeError, ValueError) as error:
        print(f"maie-evaluate-llm: {error}", file=sys.stderr)
        return 2
    for figures in results.values():
        for kind in ("wrong_transcripts", "wrong_notes"):
            figures[kind] = figures[kind][: arguments.examples]
    speed = round(writer.tokens / writer.seconds) if writer.seconds else None
    json.dump({"seed": arguments.seed, "tokens_per_second": speed, "results": results}, sys.stdout, indent=2)
    print()
    graded = [within(result, arguments) for name, result in results.items() if MATERIAL[name].graded]
    return 0 if all(graded) else 1
