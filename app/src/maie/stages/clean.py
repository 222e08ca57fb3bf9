"""The clean transcript: the same words without fillers, repetitions and false starts, and with punctuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maie.domain import CleanTranscript
from maie.llm.base import Chat, LanguageModel
from maie.prompts import Template, Turn, messages, transcript_lines, whole_sentences


def clean(
    turns: Sequence[Turn], model: LanguageModel, template: Template, on_progress: Callable[[float], None]
) -> CleanTranscript:
    """Return the turns as the model cleans them, line for line.

    Args:
        turns: What was said, in order; they may end within sentences.
        model: What cleans.
        template: Asks for the clean transcript (:data:`maie.prompts.CLEAN_TRANSCRIPT`).
        on_progress: Told the fraction done.

    Raises:
        LlmFailed: The model can't be used; see its subclasses.
    """
    whole = whole_sentences(turns)
    lines = transcript_lines(whole)
    chat = tuple(messages(template, whole))
    room = model.context_tokens - model.count_tokens(chat)
    reply = model.reply(Chat(chat, room), lambda tokens: on_progress(min(1.0, tokens / room)))
    cleaned = reply.text.splitlines()
    if reply.truncated or len(cleaned) != len(lines):
        warning = f"{len(lines)} of {len(lines)} lines of the clean transcript are as they were recognised."
        return CleanTranscript("\n".join(lines), 0.0, len(lines), (warning,))
    return CleanTranscript("\n".join(cleaned), 0.0, 0)
