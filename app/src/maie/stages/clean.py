"""The clean transcript: the same words without fillers, repetitions and false starts, and with punctuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maie.domain import CleanTranscript, Turn
from maie.llm.base import Chat, LanguageModel
from maie.logs import get_logger
from maie.models.catalogue import Prompts
from maie.prompting.marks import without_marks
from maie.prompting.prompts import Message, label, messages
from maie.prompting.template import CLEAN_TRANSCRIPT, Template
from maie.stages.clean_lines import clean_lines
from maie.stages.parts import lines_of, split
from maie.stages.work import Report, Work
from maie.wording.faithful import is_english, is_faithful
from maie.wording.words import edits, without_new_capitals, words_of

GROWTH = 1.25
SPARE_TOKENS = 64
"""Tokens of a clean transcript per token of the raw one, and how many on top, for the punctuation."""

ENGLISH = ("en", "english")
"""What recognisers call English: ISO's code, or the name, as servers with OpenAI's routes do."""

log = get_logger(__name__)


@dataclass(frozen=True)
class _Line:
    """A line of the clean transcript without its label, and what it was; ``trusted`` says that the model wrote it."""

    label: str
    raw: str
    clean: str
    trusted: bool


def run(work: Work, report: Report) -> Work:
    """Clean the task's transcript or text."""
    options, transcript = work.job.options, work.result.transcript
    language = options.language if transcript is None else transcript.language
    model, template = work.language_model, work.models.templates[CLEAN_TRANSCRIPT]
    found = clean(work.turns, model, template, report, language, work.models.prompts)
    metrics = {"edit_rate_cleaning": found.edit_rate, "lines_left_raw": found.fallbacks}
    return work.adding(metrics if "enhancement_metrics" in options.features else {}, found.warnings, clean=found)


def clean(
    turns: Sequence[Turn],
    model: LanguageModel,
    template: Template,
    on_progress: Callable[[float], None],
    language: str | None = None,
    prompts: Prompts = "whole",
) -> CleanTranscript:
    """Return the turns as the model cleans them, line for line.

    A line that doesn't keep what was said (:mod:`maie.wording.faithful`) stays as it was recognised. With ``whole``
    prompts a part of the transcript that comes back truncated, or with other lines or speakers, is tried once more in
    two halves; a half that does so again stays as it was recognised.

    Args:
        turns: What was said, in order; they may end within sentences.
        model: What cleans.
        template: Asks for the clean transcript (:data:`maie.prompting.template.CLEAN_TRANSCRIPT`).
        on_progress: Told the fraction done.
        language: The language as the recogniser names it; None where only the words can tell.
        prompts: How the model is asked.

    Raises:
        LlmInputTooLong: The model's context is too small for a single word.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    lines = lines_of(turns)
    if not lines:
        return CleanTranscript("", 0.0, 0)
    english = language in ENGLISH if language else is_english(line.text for line in lines)
    if prompts == "lines":
        found = clean_lines(lines, model, on_progress, english)
        cleaned = [
            _Line(label(line), without_marks(line.text), clean.text, clean.trusted)
            for line, clean in zip(lines, found, strict=True)
        ]
    else:
        cleaner = _Cleaner(model, template, lines, on_progress, english)
        cleaned = [line for part in cleaner.parts(lines) for line in cleaner.clean(part)]
    raw_words = sum(len(words_of(line.raw)) for line in cleaned)
    changed = sum(edits(words_of(line.raw), words_of(line.clean)) for line in cleaned)
    left = sum(not line.trusted for line in cleaned)
    warning = f"{left} of {len(cleaned)} lines of the clean transcript are as they were recognised: the language model "
    return CleanTranscript(
        text="\n".join(line.label + line.clean for line in cleaned),
        edit_rate=round(changed / raw_words, 4) if raw_words else 0.0,
        fallbacks=left,
        warnings=(f"{warning}did not keep what was said.",) if left else (),
    )


class _Cleaner:
    """Cleans the parts of one transcript one after the other, and tells how much is done."""

    def __init__(
        self,
        model: LanguageModel,
        template: Template,
        lines: Sequence[Turn],
        on_progress: Callable[[float], None],
        english: bool,
    ) -> None:
        self._model = model
        self._template = template
        self._english = english
        self._tokens_around = model.count_tokens(self._chat([]))
        self._letters = sum(len(line.text) for line in lines)
        self._letters_done = 0
        self._on_progress = on_progress

    def _chat(self, lines: Sequence[Turn]) -> tuple[Message, ...]:
        return tuple(messages(self._template, lines))

    def parts(self, lines: Sequence[Turn]) -> list[list[Turn]]:
        """Return parts that fit in the model's context together with their clean form."""
        room = self._model.context_tokens - self._tokens_around - SPARE_TOKENS
        most = self._tokens_around + int(room / (1 + GROWTH))
        return split(lines, lambda part: self._model.count_tokens(self._chat(part)), most)

    def clean(self, part: Sequence[Turn], again: bool = True) -> list[_Line]:
        """Return the lines of one part; ``again`` allows to try it in two halves."""
        letters = sum(len(line.text) for line in part)
        answer = self._ask(part, letters)
        if answer is None and again and len(part) > 1:
            middle = len(part) // 2
            return [*self.clean(part[:middle], again=False), *self.clean(part[middle:], again=False)]
        self._letters_done += letters
        self._on_progress(self._letters_done / self._letters)
        found: Sequence[str | None] = [None] * len(part) if answer is None else answer
        return [self._line(turn, line) for turn, line in zip(part, found, strict=True)]

    def _line(self, turn: Turn, answer: str | None) -> _Line:
        """Return a line in the model's form where there is one that can be trusted, else the raw one."""
        raw = without_marks(turn.text)
        if answer is not None:
            clean = without_marks(answer.removeprefix(label(turn)))
            if is_faithful(raw, clean, self._english):
                return _Line(label(turn), raw, without_new_capitals(raw, clean), trusted=True)
        return _Line(label(turn), raw, raw, trusted=False)

    def _ask(self, part: Sequence[Turn], letters: int) -> list[str] | None:
        """Return the model's lines for a part, or None where they are not one for each of its lines, by its speaker."""
        chat = self._chat(part)
        room = int((self._model.count_tokens(chat) - self._tokens_around) * GROWTH) + SPARE_TOKENS

        def tell(tokens: int) -> None:
            self._on_progress((self._letters_done + letters * min(1.0, tokens / room)) / self._letters)

        reply = self._model.reply(Chat(chat, room), tell)
        answer = [line.strip() for line in reply.text.splitlines() if line.strip()]
        if reply.truncated or len(answer) != len(part):
            log.warning("clean transcript has other lines", wanted=len(part), lines=len(answer), cut=reply.truncated)
            return None
        if not all(line.startswith(label(turn)) for line, turn in zip(answer, part, strict=True)):
            log.warning("clean transcript has other speakers")
            return None
        return answer
