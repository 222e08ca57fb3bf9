"""The summary: what a template asks for, as a value that fits its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from maie.domain import Summary, Turn
from maie.errors import LlmAnswerInvalid, UnknownTemplate
from maie.llm.base import PROMPT_SHARE, Chat, LanguageModel
from maie.logs import get_logger
from maie.prompting.marks import without_marks
from maie.prompting.prompts import Message, messages
from maie.prompting.template import Template
from maie.stages.merge import Merger
from maie.stages.notes.take import take_notes
from maie.stages.parts import lines_of, split
from maie.stages.work import Report, Work

REPLY_SHARE = 1 / 4
"""Share of the context that a reply has at first. One that is cut gets the rest."""

OVERLAP = 0.1
"""Share of a part that the next one repeats, so that what was said across the border is read in one piece."""

COMPLAINT_TOKENS = 200
COMPLAINT_LETTERS = 200
"""Tokens that the validator's message may add to a prompt, and letters of it that are quoted."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FENCE = re.compile(r"^```(?:json)?(.*)```$", re.DOTALL)

log = get_logger(__name__)


def run(work: Work, report: Report) -> Work:
    """Summarise the task's transcript or text."""
    model, template_id = work.language_model, work.job.options.template_id
    template = work.models.templates.get(template_id or "")
    if template is None:
        raise UnknownTemplate(f"There is no template {template_id!r} any more.")
    if work.models.prompts == "lines" and template.steps:
        found = take_notes(work.turns, model, template, report, work.result.clean)
    else:
        found = summarise(work.turns, model, template, report)
    return work.adding(warnings=found.warnings, summary=found)


def summarise(
    turns: Sequence[Turn], model: LanguageModel, template: Template, on_progress: Callable[[float], None]
) -> Summary:
    """Return the template's task done on the turns.

    What is too long for the model is read in parts, which are merged (:mod:`maie.stages.merge`).

    Args:
        turns: What was said, in order; they may end within sentences.
        model: What reads and writes.
        template: The task, and the schema of its answer.
        on_progress: Told the fraction done.

    Raises:
        LlmAnswerInvalid: There is nothing to read, or no answer fits the schema, after another attempt too.
        LlmInputTooLong: The model's context is too small for a single word.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    lines = lines_of(turns)
    if not lines:
        raise LlmAnswerInvalid("There is no text to summarise.")
    reader = _Reader(model, template)
    values = reader.read(lines, on_progress)
    if len(values) == 1:
        return Summary(template.identity, values[0], 1)
    merger = Merger(template.schema, reader.shorten)
    value = merger.merge(values)
    if complaint := reader.complaint(value):
        log.warning("merged summary does not fit", complaint=complaint.partition(":")[0])
        raise LlmAnswerInvalid("The summaries of the parts can't be merged within the template's limits.")
    return Summary(template.identity, value, len(values), tuple(merger.warnings))


class _Reader:
    """Asks a model for one template's task."""

    def __init__(self, model: LanguageModel, template: Template) -> None:
        self._model = model
        self._template = template
        self._validator = Draft202012Validator(template.schema)

    def read(self, lines: Sequence[Turn], on_progress: Callable[[float], None]) -> list[Any]:
        """Return one value for each part that the lines have to be read in."""
        longest = {"part": 99, "parts": 99, "meeting_date": "2000-01-01"}

        def count(part: Sequence[Turn]) -> int:
            return self._model.count_tokens(messages(self._template, part, longest)) + COMPLAINT_TOKENS

        count([])  # a server reveals its context with the first count
        parts = split(lines, count, int(self._model.context_tokens * PROMPT_SHARE), OVERLAP)
        context: dict[str, Any] = {"parts": len(parts)} if len(parts) > 1 else {}
        values = []
        for number, part in enumerate(parts):
            if context:
                context["part"] = number + 1
            values.append(self._answer(part, context, _share(on_progress, number, len(parts))))
            day = values[-1].get("meeting_date") if isinstance(values[-1], dict) else None
            # It gets into the task's text, so it must be a day and nothing else that a template's schema may allow.
            if isinstance(day, str) and _DAY.fullmatch(day):
                context.setdefault("meeting_date", day)
        on_progress(1.0)
        return values

    def shorten(self, field: str, pieces: Sequence[str], most: int) -> str:
        """Return a field's pieces as one text of at most so many letters, written anew as often as that takes.

        Raises:
            LlmAnswerInvalid: The model doesn't make it shorter.
        """
        text = " ".join(pieces)
        while len(text) > most:
            values = self.read([Turn(None, piece) for piece in pieces], lambda _: None)
            pieces = [str(value[field] if isinstance(value, dict) else value) for value in values]
            before, text = text, " ".join(pieces)
            if len(text) >= len(before):
                raise LlmAnswerInvalid("The summaries of the parts are too long together, and can't be shortened.")
        return text

    def _answer(self, part: Sequence[Turn], context: Mapping[str, Any], on_progress: Callable[[float], None]) -> Any:
        """Return the value for one part, after one repair at most."""
        chat = messages(self._template, part, context)
        value, complaint = self._attempt(chat, on_progress)
        if complaint:
            log.warning("summary does not fit", complaint=complaint.partition(":")[0])
            value, complaint = self._attempt(_with_complaint(chat, complaint), on_progress)
        if complaint:
            raise LlmAnswerInvalid
        return value

    def _attempt(self, chat: Sequence[Message], on_progress: Callable[[float], None]) -> tuple[Any, str | None]:
        """Return the value that the model answers with, and what is wrong with it, if something is.

        Raises:
            LlmAnswerInvalid: The answer is cut even with all the room of the context.
        """
        context = self._model.context_tokens
        for room in (int(context * REPLY_SHARE), context - self._model.count_tokens(chat)):
            request = Chat(tuple(chat), room, self._template.schema)
            reply = self._model.reply(request, _per_token(on_progress, room))
            if not reply.truncated:
                return self._parsed(reply.text)
        raise LlmAnswerInvalid("The language model's answer does not end within its context.")

    def _parsed(self, text: str) -> tuple[Any, str | None]:
        if self._template.answer == "text":
            return text.strip(), self.complaint(text.strip())
        try:
            value = json.loads(_FENCE.sub(r"\1", text.strip()), parse_constant=_refuse)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            return None, f"no JSON: {error}"
        return value, self.complaint(value)

    def complaint(self, value: Any) -> str | None:
        """Return where a value doesn't fit the schema and why, or None where it fits."""
        error = best_match(self._validator.iter_errors(value))
        return f"{error.json_path}: {error.message}" if error else None


def _share(on_progress: Callable[[float], None], done: int, parts: int) -> Callable[[float], None]:
    """Return a function to report the fraction of one of several parts with."""
    return lambda fraction: on_progress((done + fraction) / parts)


def _per_token(on_progress: Callable[[float], None], room: int) -> Callable[[int], None]:
    """Return a function to report the tokens of a reply with, which has room for so many."""
    return lambda tokens: on_progress(min(1.0, tokens / room))


def _with_complaint(chat: Sequence[Message], complaint: str) -> list[Message]:
    """Return a chat that says what was wrong with an earlier answer to it; its beginning stays the same."""
    *before, task = chat
    told = without_marks(complaint)[:COMPLAINT_LETTERS]
    said = f"An earlier answer was refused ({told}). Write the whole answer again, so that it fits."
    return [*before, {**task, "content": f"{task['content']}\n\n{said}"}]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
