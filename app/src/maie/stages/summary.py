"""The summary: what a template asks for, as a value that fits its schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from jsonschema import Draft202012Validator

from maie.domain import Summary
from maie.errors import LlmAnswerInvalid
from maie.llm.base import Chat, LanguageModel
from maie.prompts import Template, Turn, messages, whole_sentences


def summarise(
    turns: Sequence[Turn], model: LanguageModel, template: Template, on_progress: Callable[[float], None]
) -> Summary:
    """Return the template's task done on the turns.

    Args:
        turns: What was said, in order; they may end within sentences.
        model: What reads and writes.
        template: The task, and the schema of its answer.
        on_progress: Told the fraction done.

    Raises:
        LlmAnswerInvalid: No answer fits the schema, after another attempt too.
        LlmFailed: The model can't be used; see its other subclasses.
    """
    chat = tuple(messages(template, whole_sentences(turns)))
    room = model.context_tokens - model.count_tokens(chat)
    reply = model.reply(Chat(chat, room, template.schema), lambda tokens: on_progress(min(1.0, tokens / room)))
    try:
        value = json.loads(reply.text) if template.answer == "json" else reply.text
    except ValueError as error:
        raise LlmAnswerInvalid from error
    if reply.truncated or not Draft202012Validator(template.schema).is_valid(value):
        raise LlmAnswerInvalid
    return Summary(template.identity, value, 1)
