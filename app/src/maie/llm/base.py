"""What every language model can do, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from maie.prompting.prompts import Message


@dataclass(frozen=True)
class Chat:
    """One request to a language model.

    It can't ask for n-gram speculation, which helps where an answer mostly copies its prompt: that is a flag of vLLM's
    server.

    Attributes:
        max_tokens: Tokens that the reply may have, the end token included.
        schema: JSON Schema of the reply, or None for plain text. An engine that can enforce it does so; as not every
            engine can, the caller validates the reply.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reply:
    """What the model wrote.

    Attributes:
        text: The reply without its end token.
        truncated: Whether the reply ended because ``max_tokens`` were used up.
        prompt_tokens: Tokens of the rendered chat.
        reply_tokens: Tokens of the reply.
    """

    text: str
    truncated: bool
    prompt_tokens: int
    reply_tokens: int


class LanguageModel(Protocol):
    """A loaded model, or a server that has one.

    Attributes:
        name: The model's name.
        context_tokens: Tokens that a chat and its reply may have together.
        versions: What the task's ``versions`` say of the model.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - told above

    @property
    def context_tokens(self) -> int: ...  # noqa: D102

    @property
    def versions(self) -> dict[str, Any]: ...  # noqa: D102

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the tokens of a chat, its marks and the start of the reply included.

        Raises:
            LlmUnavailable: The server that would have to count them is away.
            LlmTimeout: The server didn't answer in time.
        """
        ...

    def reply(self, chat: Chat, on_tokens: Callable[[int], None]) -> Reply:
        """Return the model's reply; ``on_tokens`` is called now and then with the number of tokens so far.

        Raises:
            LlmInputTooLong: The chat leaves no room for a reply.
            LlmUnavailable: The engine can't answer at present.
            LlmTimeout: The answer took longer than its time limit.
            LlmAnswerInvalid: The answer is larger than it may be, or no answer at all.
        """
        ...
