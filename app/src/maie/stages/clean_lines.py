"""Cleans lines a few at a time, each known by its number, so that the answer to one can't cost another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maie.domain import Turn
from maie.errors import LlmInputTooLong
from maie.llm.base import Chat, LanguageModel
from maie.prompting.marks import without_marks
from maie.prompting.numbered import CLEAN, ask
from maie.prompting.prompts import label
from maie.stages.short_lines import LONGEST_LETTERS, short_lines
from maie.wording.faithful import is_faithful
from maie.wording.words import without_new_capitals

LINES_AT_ONCE = 6
WORDS_AT_ONCE = 120

GROWTH = 1.25
SPARE_TOKENS = 64
"""Tokens of an answer per token of its prompt, and how many on top, for the numbers and the punctuation."""

_ROW = re.compile(r"\s*(\d{1,3})\.\s+(.*\S)\s*")


@dataclass(frozen=True)
class Cleaned:
    """A clean line without its label; ``trusted`` says that the model wrote all of it."""

    text: str
    trusted: bool


def clean_lines(
    lines: Sequence[Turn], model: LanguageModel, on_progress: Callable[[float], None], english: bool
) -> list[Cleaned]:
    """Return each line as the model cleans it; of a long one, what the model doesn't keep stays as it was recognised.

    Args:
        lines: Lines of any length; the model gets them in short ones.
        model: What cleans.
        on_progress: Told the fraction done.
        english: Whether the transcript is English (:func:`maie.wording.faithful.is_english`).

    Raises:
        LlmInputTooLong: The model's context is too small for a single line.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    short = [short_lines(line) for line in lines]
    every = [piece for pieces in short for piece in pieces]
    cleaned = iter(_clean([piece for piece in every if _is_short(piece)], model, on_progress, english))
    found = [[(piece.text, next(cleaned) if _is_short(piece) else None) for piece in pieces] for pieces in short]
    return [
        Cleaned(" ".join(clean or raw for raw, clean in pieces), all(clean is not None for _, clean in pieces))
        for pieces in found
    ]


def _is_short(line: Turn) -> bool:
    return len(line.text) <= LONGEST_LETTERS


def _clean(
    lines: Sequence[Turn], model: LanguageModel, on_progress: Callable[[float], None], english: bool
) -> list[str | None]:
    around = model.count_tokens(ask(CLEAN, []))
    asked = [chat for part in _parts(lines) for chat in _chats(part, model, around)]
    room = sum(chat.max_tokens for _, chat in asked)
    replies = model.replies([chat for _, chat in asked], lambda tokens: on_progress(min(1.0, tokens / room)))
    cleaned: list[str | None] = []
    for (part, _), reply in zip(asked, replies, strict=True):
        rows = [row for row in map(_ROW.fullmatch, reply.text.splitlines()) if row]
        by_number = {int(row[1]): row[2] for row in reversed(rows)}
        cleaned += [_faithful(line, by_number.get(number), english) for number, line in enumerate(part, 1)]
    return cleaned


def _parts(lines: Sequence[Turn]) -> list[list[Turn]]:
    parts: list[list[Turn]] = []
    words = 0
    for line in lines:
        words += len(line.text.split())
        if not parts or len(parts[-1]) == LINES_AT_ONCE or words > WORDS_AT_ONCE:
            parts.append([])
            words = len(line.text.split())
        parts[-1].append(line)
    return parts


def _chats(part: Sequence[Turn], model: LanguageModel, around: int) -> list[tuple[Sequence[Turn], Chat]]:
    """Return the chats that clean some lines: one where the context has room for them, else one for each half.

    Raises:
        LlmInputTooLong: It has no room for a single line.
    """
    messages = ask(CLEAN, part)
    tokens = model.count_tokens(messages)
    room = int((tokens - around) * GROWTH) + SPARE_TOKENS
    if tokens + room <= model.context_tokens:
        return [(part, Chat(messages, room))]
    if len(part) == 1:
        raise LlmInputTooLong
    middle = len(part) // 2
    return [*_chats(part[:middle], model, around), *_chats(part[middle:], model, around)]


def _faithful(line: Turn, answer: str | None, english: bool) -> str | None:
    if answer is None:
        return None
    clean = without_marks(answer.removeprefix(label(line)))
    return without_new_capitals(line.text, clean) if is_faithful(line.text, clean, english) else None
