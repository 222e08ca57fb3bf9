"""What the language model is trained to be asked: the service's own prompts."""

from __future__ import annotations

from collections.abc import Iterable

from maie.domain import Turn
from maie.prompting import numbered as service
from maie.prompting.numbered import CLEAN, OVERVIEW, SETTLED, SETTLED_BRIEFLY, chat
from maie.wording.key_words import key_words

__all__ = ["CLEAN", "NOBODY", "OVERVIEW", "SETTLED", "SETTLED_BRIEFLY", "Chat", "ask", "key_words", "numbered"]

NOBODY = "nobody"

Chat = list[dict[str, str]]


def numbered(lines: Iterable[tuple[str | None, str]]) -> str:
    """Number lines of (who, text) from 1; where nobody knows who speaks, who is None."""
    return service.numbered(Turn(who, text) for who, text in lines)


def ask(instruction: str, transcript: str) -> Chat:
    """Return the messages of a task on numbered lines."""
    return list(chat(instruction, transcript))
