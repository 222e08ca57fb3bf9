"""Judge a language model by the written talks that none was trained on, in the service's own stages.

``python -m maie_training.adapter.judge --model FOLDER --talks FOLDER`` prints the figures as JSON. The model is
CTranslate2's and answers greedily. Notes are taken of the raw transcript, as where nobody asks for a clean one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from maie import llm
from maie.domain import CleanTranscript, Turn
from maie.llm.base import LanguageModel
from maie.prompting.template import BUILT_IN, CLEAN_TRANSCRIPT, load_template
from maie.settings import Settings
from maie.stages.clean import clean
from maie.stages.notes.take import take_notes
from maie.wording.key_words import share_of
from maie.wording.words import edits, words_of

from maie_training.adapter.material import verbatim
from maie_training.scores import Kept
from maie_training.written import WrittenTalk, read_talks

LEAST_SHARE = 0.6
_NO_COUNTERPART = 1 / 3
_CONTEXT = 4096


Names = Mapping[str, str]
"""What a transcript calls each of its speakers; empty where it does not tell who speaks."""


def named(talk: WrittenTalk) -> Names:
    """Call all speakers by their names."""
    return {turn.who: turn.who for turn in talk.turns}


def nobody(_: WrittenTalk) -> Names:
    """Do not tell who speaks."""
    return {}


SPEAKERS = {"named": named, "unknown": nobody}


def turns_of(talk: WrittenTalk, names: Names) -> list[Turn]:
    """Return a talk as the service gets it: every word, and who speaks as far as somebody knows."""
    return [Turn(names.get(turn.who), verbatim(turn.said)) for turn in talk.turns]


@dataclass
class Items:
    """Tasks or decisions: how many there are, how many the model named, how many of those are right."""

    wanted: int = 0
    named: int = 0
    right: int = 0

    @property
    def f1(self) -> float:
        """Of precision and recall, 0 to 1."""
        return 2 * self.right / max(1, self.wanted + self.named)

    def count(self, wanted: Sequence[tuple[str | None, str]], named: Sequence[tuple[str | None, str]]) -> list[str]:
        """Add a talk's, each with its assignee, and return what has no match, one to one."""
        left = list(named)
        for who, text in wanted:
            alike = [(share_of(text, other), other) for whose, other in left if whose == who]
            share, best = max(alike, default=(0.0, ""))
            if share >= LEAST_SHARE:
                left.remove((who, best))
        self.wanted += len(wanted)
        self.named += len(named)
        self.right += len(named) - len(left)
        return [text for _, text in left]


@dataclass
class Figures:
    """All that is counted."""

    talks: int = 0
    tasks: Items = field(default_factory=Items)
    decisions: Items = field(default_factory=Items)
    of_nothing: int = 0  # items and decisions that none of the talk's has a third of its words in common with
    quiet_talks: int = 0
    kept_quiet: int = 0
    kept: Kept = field(default_factory=Kept)
    words: int = 0
    edits: int = 0
    raw_edits: int = 0
    lines: int = 0
    raw_lines: int = 0
    facts: int = 0
    in_summary: int = 0
    in_notes: int = 0

    def clean(self, talk: WrittenTalk, names: Names, found: CleanTranscript) -> None:
        """Count a clean transcript."""
        labels = {f"{name}: " for name in names.values()}
        lines = [
            next((line[len(mark) :] for mark in labels if line.startswith(mark)), line)
            for line in found.text.splitlines()
        ]
        right, raw, got = talk.clean, " ".join(verbatim(turn.said) for turn in talk.turns), " ".join(lines)
        self.lines += len(lines)
        self.raw_lines += found.fallbacks
        self.words += len(words_of(right))
        self.edits += edits(words_of(right), words_of(got))
        self.raw_edits += edits(words_of(right), words_of(raw))
        self.kept.count(raw, right, got)

    def notes(self, talk: WrittenTalk, names: Names, found: dict[str, Any]) -> None:
        """Count what the model took down of a talk, in the form of the template ``meeting_notes_v1``."""
        wanted = [
            (
                names.get(item["assignee"]) if by_voice else names.get(item["assignee"], item["assignee"]),
                item["description"],
            )
            for item, by_voice in zip(talk.notes["action_items"], talk.by_voice, strict=True)
        ]
        decisions = [(None, text) for text in talk.notes["decisions"]]
        wrong = self.tasks.count(wanted, [(item["assignee"], item["description"]) for item in found["action_items"]])
        wrong += self.decisions.count(decisions, [(None, text) for text in found["decisions"]])
        settled = [text for _, text in (*wanted, *decisions)]
        shares = (max((share_of(text, other) for text in settled), default=0.0) for other in wrong)
        self.of_nothing += sum(share < _NO_COUNTERPART for share in shares)
        self.talks += 1
        if not settled:
            self.quiet_talks += 1
            self.kept_quiet += not (found["action_items"] or found["decisions"])
        notes, summary = json.dumps(found, ensure_ascii=False).lower(), found["summary"].lower()
        for fact in talk.facts:
            self.facts += 1
            self.in_summary += fact.is_in(summary)
            self.in_notes += fact.is_in(notes)

    def shares(self) -> dict[str, float | int]:
        """Return the figures; shares are 0 to 1."""

        def of(part: int, whole: int) -> float:
            return round(part / whole, 4) if whole else 0.0

        return {
            "talks": self.talks,
            "clean_wer": of(self.edits, self.words),
            "raw_wer": of(self.raw_edits, self.words),
            "raw_lines": of(self.raw_lines, self.lines),
            "names_and_numbers_kept": round(self.kept.share, 4),
            "action_items_f1": round(self.tasks.f1, 4),
            "decisions_f1": round(self.decisions.f1, 4),
            "wrong_action_items_a_talk": of(self.tasks.named - self.tasks.right, self.talks),
            "wrong_decisions_a_talk": of(self.decisions.named - self.decisions.right, self.talks),
            "of_nothing_a_talk": of(self.of_nothing, self.talks),
            "quiet_talks_kept": of(self.kept_quiet, self.quiet_talks),
            "facts_in_summary": of(self.in_summary, self.facts),
            "facts_in_notes": of(self.in_notes, self.facts),
        }


def load(folder: Path, threads: int = 2) -> LanguageModel:
    """Load a model as the service does."""
    given: dict[str, Any] = {"profile": "embedded", "asr_model": folder, "llm_backend": "ctranslate2"}
    return llm.load(Settings(**given, llm_model=folder, llm_threads=threads, llm_context_tokens=_CONTEXT))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--talks", type=Path, required=True, help="such as tests/cases/talks")
    parser.add_argument("--speakers", choices=SPEAKERS, default="named", help="what the transcript calls who speaks")
    parser.add_argument("--no-clean", action="store_true", help="judge the notes alone, in half of the time")
    parser.add_argument("--most", type=int, help="so many talks only")
    arguments = parser.parse_args(argv)
    model, figures = load(arguments.model), Figures()
    cleaning, notes = (load_template(BUILT_IN / name) for name in (CLEAN_TRANSCRIPT, "meeting_notes_v1"))
    for talk in islice(read_talks(arguments.talks), arguments.most):
        names = SPEAKERS[arguments.speakers](talk)
        turns = turns_of(talk, names)
        if not arguments.no_clean:
            figures.clean(talk, names, clean(turns, model, cleaning, lambda _: None, "en", "lines"))
        figures.notes(talk, names, take_notes(turns, model, notes, lambda _: None).value)
    print(json.dumps(figures.shares(), indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
