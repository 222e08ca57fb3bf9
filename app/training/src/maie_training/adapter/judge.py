"""Judge a language model by the written talks that none was trained on.

``python -m maie_training.adapter.judge --model FOLDER`` prints the figures as JSON. The model is CTranslate2's and
answers greedily. Nobody cleans a transcript before its notes are taken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ctranslate2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from maie.wording.faithful import is_faithful
from maie.wording.words import edits, words_of
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from maie_training.adapter import material, tasks
from maie_training.adapter.quotes import telling_lines
from maie_training.adapter.tasks import Settled, Token
from maie_training.scores import Kept
from maie_training.written import WrittenTalk, read_talks

LINES_AT_ONCE = 6
LEAST_SHARE = 0.6
_MOST_TOKENS = 400
_NO_COUNTERPART = 1 / 3

Answer = Callable[[tasks.Chat], list[Token]]


def text_of(tokens: Sequence[Token]) -> str:
    """Return an answer's text."""
    return "".join(token.text for token in tokens)


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
            alike = [(tasks.share_of(text, other), other) for whose, other in left if whose == who]
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
    in_quotes: int = 0
    in_notes: int = 0
    whole_overviews: int = 0

    def clean(self, talk: WrittenTalk, answer: Answer, speakers: bool) -> None:
        """Count the clean transcript, some lines at a time; a line that lost a word stays raw."""
        lines = material.lines_of(talk)
        for start in range(0, len(lines), LINES_AT_ONCE):
            part = lines[start : start + LINES_AT_ONCE]
            said = [material.verbatim(line.said) for line in part]
            shown = tasks.numbered(
                (line.who if speakers else None, text) for line, text in zip(part, said, strict=True)
            )
            rows = [row for row in text_of(answer(tasks.ask(tasks.CLEAN, shown))).splitlines() if row.strip()]
            numbers = [f"{number}. " for number in range(1, len(part) + 1)]
            whole = len(rows) == len(part) and all(map(str.startswith, rows, numbers))
            for number, raw in enumerate(said):
                got = rows[number].removeprefix(numbers[number]) if whole else raw
                if not whole or not is_faithful(raw, got, english=True):
                    self.raw_lines += 1
                    got = raw
                right = material.clean(part[number].said)
                self.lines += 1
                self.words += len(words_of(right))
                self.edits += edits(words_of(right), words_of(got))
                self.raw_edits += edits(words_of(right), words_of(raw))
                self.kept.count(raw, right, got)

    def notes(self, talk: WrittenTalk, found: Sequence[Settled], overview: str, speakers: bool) -> None:
        """Count what the model took down of a talk."""
        named = [(item.who, item.text) for item in found if item.kind == "task"]
        decided = [(None, item.text) for item in found if item.kind == "decision"]
        wanted = [
            (item["assignee"] if speakers or not by_voice else None, item["description"])
            for item, by_voice in zip(talk.notes["action_items"], talk.by_voice, strict=True)
        ]
        decisions = [(None, text) for text in talk.notes["decisions"]]
        wrong = self.tasks.count(wanted, named) + self.decisions.count(decisions, decided)
        settled = [text for _, text in (*wanted, *decisions)]
        shares = (max((tasks.share_of(text, other) for text in settled), default=0.0) for other in wrong)
        self.of_nothing += sum(share < _NO_COUNTERPART for share in shares)
        self.talks += 1
        if not settled:
            self.quiet_talks += 1
            self.kept_quiet += not found
        self.whole_overviews += {"Title", "Tags", "Summary"} <= tasks.read_overview(overview).keys()
        notes = "\n".join((overview, *(f"{item.who or ''} {item.text}" for item in found))).lower()
        summary = tasks.read_overview(overview).get("Summary", "").lower()
        lines = [(line.who, material.clean(line.said)) for line in material.lines_of(talk)]
        telling = telling_lines([text for _, text in lines], {item.line for item in found})
        quotes = "\n".join(": ".join(lines[number - 1]) for number in telling).lower()
        for fact in talk.facts:
            self.facts += 1
            self.in_summary += fact.is_in(summary)
            self.in_quotes += fact.is_in(quotes)
            self.in_notes += fact.is_in(f"{notes}\n{quotes}")

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
            "facts_in_quotes": of(self.in_quotes, self.facts),
            "facts_in_notes": of(self.in_notes, self.facts),
            "whole_overviews": of(self.whole_overviews, self.talks),
        }


def answers_of(folder: Path, threads: int = 2) -> Answer:
    """Load a model; it answers with its words and how likely each was."""
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(config["chat_template"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    generator = ctranslate2.Generator(str(folder), intra_threads=threads)
    ends = [config["eos_token"], config["pad_token"]]

    def answer(chat: tasks.Chat) -> list[Token]:
        text = template.render(messages=chat, add_generation_prompt=True, tools=None)
        found: list[Token] = []
        letters = DecodeStream(skip_special_tokens=True)

        def take(step: ctranslate2.GenerationStepResult) -> bool:
            if step.token not in ends:
                # A letter can be of several tokens: the last one has it.
                found.append(Token(letters.step(tokenizer, step.token_id) or "", step.log_prob))
            return False

        generator.generate_batch(
            [tokenizer.encode(text, add_special_tokens=False).tokens],
            max_length=_MOST_TOKENS,
            end_token=ends,
            include_prompt_in_result=False,
            return_scores=True,
            callback=take,
        )
        return found

    return answer


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--talks", type=Path, required=True, help="such as tests/cases/talks")
    parser.add_argument("--no-speakers", action="store_true", help="nobody tells the model who speaks")
    parser.add_argument("--no-clean", action="store_true", help="judge the notes alone, in a third of the time")
    parser.add_argument("--most", type=int, help="so many talks only")
    arguments = parser.parse_args(argv)
    answer, figures = answers_of(arguments.model), Figures()
    speakers = not arguments.no_speakers
    for talk in list(read_talks(arguments.talks))[: arguments.most]:
        if not arguments.no_clean:
            figures.clean(talk, answer, speakers)
        found = tasks.read_settled(answer(material.settled_sample(talk, speakers).chat))
        overview = text_of(answer(material.overview_sample(talk, speakers).chat))
        said = [material.verbatim(line.said) for line in material.lines_of(talk)]
        figures.notes(talk, tasks.credible(found, said), overview, speakers)
    print(json.dumps(figures.shares(), indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
