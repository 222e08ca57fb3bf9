"""Reads a transcript in parts: what each line is, and what the conversation is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from maie.domain import Turn
from maie.errors import LlmInputTooLong
from maie.llm.base import PROMPT_SHARE, Chat, LanguageModel, Reply
from maie.logs import get_logger
from maie.prompting.numbered import OVERVIEW, SETTLED, ask
from maie.stages.notes.facts import Transcript
from maie.stages.notes.overview import Overview, overview, read_overview
from maie.stages.notes.rows import Row, read_rows

LINES_AT_ONCE = 32
LINES_BEFORE = 3
LINES_AFTER = 2
"""Lines of a part, and how many of the parts around it are shown with it; a talk of the training had up to 38."""

LINES_OF_OVERVIEW = 40

TOKENS_PER_LINE = 14
SPARE_TOKENS = 100
OVERVIEW_TOKENS = 160
"""Tokens of an answer for each line and on top, and of an overview: about twice what right answers have."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Reading:
    """What a model says of a transcript.

    Attributes:
        lines: What was said, in short lines.
        rows: What the lines are, numbered from 0; a line may have several rows, or none.
        is_sure: Whether the engine told how sure the model is.
        parts: In how many parts the lines were read.
    """

    lines: Sequence[Turn]
    rows: Sequence[Row]
    about: Overview
    is_sure: bool
    parts: int


@dataclass(frozen=True)
class _Part:
    """The lines from ``own`` to ``own_end`` of a transcript, and those from ``start`` to ``end`` that are shown."""

    start: int
    own: int
    own_end: int
    end: int

    def halves(self) -> list[_Part]:
        """Return it as two; what is shown around them stays."""
        middle = (self.own + self.own_end) // 2
        first = replace(self, own_end=middle, end=min(self.end, middle + LINES_AFTER))
        return [first, replace(self, own=middle, start=max(self.start, middle - LINES_BEFORE))]


def read(lines: Sequence[Turn], model: LanguageModel, on_progress: Callable[[float], None]) -> Reading:
    """Return what a model says of some short lines.

    An answer that is cut is asked for once more in two halves; what is cut then is taken as far as it goes.

    Raises:
        LlmInputTooLong: The model's context is too small for a single line.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    count = len(lines)
    parts = [
        fit
        for own in _starts(count, LINES_AT_ONCE)
        for fit in _fitting(_around(own, min(own + _size(count, LINES_AT_ONCE), count), count), lines, model)
    ]
    wholes = [lines[start : start + _size(count, LINES_OF_OVERVIEW)] for start in _starts(count, LINES_OF_OVERVIEW)]
    chats = [chat for _, chat in parts] + [chat for whole in wholes for chat in _overviews(whole, model)]
    room = sum(chat.max_tokens for chat in chats)
    replies = model.replies(chats, lambda tokens: on_progress(min(1.0, tokens / room)))
    told = list(zip(parts, replies, strict=False))
    again = [
        fit
        for (part, _), reply in told
        if reply.truncated and part.own_end - part.own > 1
        for half in part.halves()
        for fit in _fitting(half, lines, model)
    ]
    if again:
        log.warning("an answer about lines was cut", parts=len(again) // 2)
        told += zip(again, model.replies([chat for _, chat in again], lambda _: on_progress(1.0)), strict=True)
    rows = [row for (part, _), reply in told for row in _own_rows(part, reply)]
    answers = [read_overview(reply.text, reply.truncated) for reply in replies[len(parts) :]]
    is_sure = all(reply.tokens or not reply.text for _, reply in told)
    return Reading(lines, rows, overview(answers, Transcript(lines)), is_sure, len(parts))


def _size(count: int, most: int) -> int:
    """Return how many lines parts of about equal size have."""
    return -(-count // -(-count // most))


def _starts(count: int, most: int) -> range:
    return range(0, count, _size(count, most))


def _around(own: int, own_end: int, count: int) -> _Part:
    return _Part(max(0, own - LINES_BEFORE), own, own_end, min(count, own_end + LINES_AFTER))


def _fitting(part: _Part, lines: Sequence[Turn], model: LanguageModel) -> list[tuple[_Part, Chat]]:
    """Return a part with its chat, or parts of it for which the context has room.

    Raises:
        LlmInputTooLong: It has no room for a single line.
    """
    room = (part.end - part.start) * TOKENS_PER_LINE + SPARE_TOKENS
    chat = Chat(ask(SETTLED, lines[part.start : part.end]), room, tells_tokens=True)
    if _fits(chat, model):
        return [(part, chat)]
    if part.own_end - part.own > 1:
        return [fit for half in part.halves() for fit in _fitting(half, lines, model)]
    if (part.start, part.end) != (part.own, part.own_end):
        return _fitting(replace(part, start=part.own, end=part.own_end), lines, model)
    raise LlmInputTooLong


def _overviews(lines: Sequence[Turn], model: LanguageModel) -> list[Chat]:
    chat = Chat(ask(OVERVIEW, lines), OVERVIEW_TOKENS)
    if _fits(chat, model):
        return [chat]
    if len(lines) == 1:
        raise LlmInputTooLong
    middle = len(lines) // 2
    return [*_overviews(lines[:middle], model), *_overviews(lines[middle:], model)]


def _fits(chat: Chat, model: LanguageModel) -> bool:
    tokens = model.count_tokens(chat.messages)
    return tokens <= model.context_tokens * PROMPT_SHARE and tokens + chat.max_tokens <= model.context_tokens


def _own_rows(part: _Part, reply: Reply) -> list[Row]:
    """Return the rows about a part's own lines, numbered as in the transcript; a last row that is cut is none."""
    whole = reply.text.rpartition("\n")[0] if reply.truncated else reply.text
    rows = (replace(row, line=part.start + row.line - 1) for row in read_rows(whole, reply.tokens))
    return [row for row in rows if part.own <= row.line < part.own_end]
